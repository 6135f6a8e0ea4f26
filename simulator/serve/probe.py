"""One small simulation through the front door: what readiness of a new app means."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import grpc

from montecarlo.engine.v1 import engine_pb2, engine_pb2_grpc
from simulator.serve.usual import usual_input

PATHS: Final = 100


class NotReady(RuntimeError):
    """The app did not answer."""


def simulate(target: str, application: str, *, within: timedelta) -> None:
    """Returns when the app at `target` has simulated a few paths. Raises: NotReady."""
    request = engine_pb2.SimulateRequest(input=usual_input(PATHS))
    with grpc.insecure_channel(target) as channel:
        try:
            responses = engine_pb2_grpc.EngineServiceStub(channel).Simulate(
                request,
                metadata=(("application", application),),
                timeout=within.total_seconds(),
                wait_for_ready=True,
            )
            events = [each.WhichOneof("event") for each in responses]
        except grpc.RpcError as error:
            raise NotReady(f"The simulator at {target} does not answer: {error}. Ray's logs may say why.") from error
    if "result" not in events:
        raise NotReady(f"The simulator at {target} gave no result. Ray's logs may say why.")
