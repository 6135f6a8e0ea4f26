"""Calling the service: a stub, and every refusal of the server as one readable message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import grpc
from grpc_status import rpc_status

from mcsvc.cli.running import FAILURE, LINES, USAGE, CliError
from montecarlo.v1.simulation_service_pb2_grpc import SimulationServiceStub
from riskio import refusals

TIMEOUT_S = 30.0
_USAGE_CODES = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.ALREADY_EXISTS}


@contextmanager
def service(server: str, trades: Path | None = None) -> Iterator[SimulationServiceStub]:
    """A stub of the service at `host:port`. Raises CliError for whatever the calls in the block meet.

    `trades` is the file that holds the trades sent, so that a bad one is told by its line.
    """
    with grpc.insecure_channel(server) as channel:
        try:
            yield SimulationServiceStub(channel)
        except grpc.RpcError as error:
            raise refusal(error, server, trades) from None


def refusal(error: grpc.RpcError, server: str, trades: Path | None = None) -> CliError:
    """What the server refused and why; what to do where it cannot be reached."""
    code = code_of(error)
    if code is grpc.StatusCode.UNAVAILABLE and rpc_status.from_call(error) is None:
        return CliError(f"No service answers at {server}. Start one with `make serve`, or name it with --server.")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return CliError(f"The service at {server} did not answer within {TIMEOUT_S:.0f} s. Try again.")
    said = cast("grpc.Call", error).details() or str(error)
    lines = refusals.told_in_words(said, trades) if code is grpc.StatusCode.INVALID_ARGUMENT else [said]
    return CliError(LINES.join(lines), exit_code=USAGE if code in _USAGE_CODES else FAILURE)


def code_of(error: grpc.RpcError) -> grpc.StatusCode:
    """The status of a failed call. What a stub raises is a Call, too, though its type does not say so."""
    code: grpc.StatusCode = cast("grpc.Call", error).code()
    return code
