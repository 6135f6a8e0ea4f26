"""Calls of the served engine, as the tests make them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from montecarlo.engine.v1 import engine_pb2, engine_pb2_grpc
from montecarlo.v1 import result_pb2
from simulator.serve.usual import usual_input
from tests.ray_cluster import ServedSimulator

M = TypeVar("M", bound=Message)

TWENTY_BLOCKS = 20 * 16_384
A_FEW_SECONDS = 500 * 16_384
FOR_EVER = 10**10


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A message of a stream, and when it came."""

    at_s: float
    response: engine_pb2.SimulateResponse

    @property
    def event(self) -> str | None:
        return self.response.WhichOneof("event")


@contextmanager
def open_call(
    served: ServedSimulator,
    request: engine_pb2.SimulateRequest,
    *,
    timeout_s: float = 90,
    metadata: tuple[tuple[str, str], ...] = (),
) -> Iterator[Any]:
    """A running call, cancelled on leaving."""
    with grpc.insecure_channel(served.target) as channel:
        call = engine_pb2_grpc.EngineServiceStub(channel).Simulate(
            request, metadata=served.metadata + metadata, timeout=timeout_s
        )
        try:
            yield call
        finally:
            call.cancel()


def a_request(paths: int, *, resume_from: bytes = b"") -> engine_pb2.SimulateRequest:
    return engine_pb2.SimulateRequest(input=usual_input(paths), resume_from=resume_from)


def listen(call: Any) -> list[Heard]:
    """All messages up to the end."""
    return [Heard(at_s=time.monotonic(), response=response) for response in call]


def run(served: ServedSimulator, request: engine_pb2.SimulateRequest, **options: Any) -> list[Heard]:
    with open_call(served, request, **options) as call:
        return listen(call)


def result_of(heard: list[Heard]) -> result_pb2.SimulationResult:
    assert [each.event for each in heard].count("result") == 1
    assert heard[-1].event == "result"
    return heard[-1].response.result


def resumed(served: ServedSimulator, paths: int) -> result_pb2.SimulationResult:
    """Of a run that is broken off at its first checkpoint, and goes on from there."""
    with open_call(served, a_request(paths)) as call:
        kept = next(response.checkpoint for response in call if response.HasField("checkpoint"))
    heard = run(served, a_request(paths, resume_from=kept.data))
    assert 0 < kept.paths_done < paths
    assert heard[0].response.progress.paths_done == kept.paths_done
    return result_of(heard)


def bits(result: result_pb2.SimulationResult) -> bytes:
    """The result without the time it took."""
    timeless = result_pb2.SimulationResult()
    timeless.CopyFrom(result)
    timeless.ClearField("elapsed_s")
    return timeless.SerializeToString(deterministic=True)


def wait_until_paths_are_done(call: Any) -> None:
    """Until the workers have brought something."""
    next(response for response in call if response.progress.paths_done > 0)


def refusal(served: ServedSimulator, request: engine_pb2.SimulateRequest) -> grpc.RpcError:
    """The error with which a call ends."""
    try:
        run(served, request)
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call was not refused")


def detail(error: Any, kind: type[M]) -> M:
    """The one detail of this kind in the status."""
    from google.rpc import status_pb2

    packed = dict(error.trailing_metadata())["grpc-status-details-bin"]
    found = [each for each in status_pb2.Status.FromString(packed).details if each.Is(kind.DESCRIPTOR)]
    assert len(found) == 1
    message = kind()
    found[0].Unpack(message)
    return message
