"""How the ingress says no: a gRPC status with google.rpc details.

Ray Serve carries code, details and trailing metadata of a call to the client only beside a message, and answers a
raised error with its stack trace. So a refusal sets the three, and the ingress then sends one empty message.
"""

from __future__ import annotations

from typing import Final, Protocol

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import (
    code_pb2,
    error_details_pb2,
    status_pb2,
)

from simulator.errors import InvalidInput

DOMAIN: Final = "engine.montecarlo"

NOT_SHOWN: Final = "not_shown"
"""In the metadata of ErrorInfo: how many bad fields BadRequest leaves out."""

MOST_VIOLATIONS: Final = 16
MOST_CHARACTERS: Final = 512
"""Of a text: status and details travel as headers, which clients limit to 8 KiB in all."""


class Call(Protocol):
    """What is used of Ray Serve's context of a gRPC call."""

    def invocation_metadata(self) -> list[tuple[str, str]]:
        """What the caller sent."""

    def set_code(self, code: grpc.StatusCode) -> None:
        """The status."""

    def set_details(self, details: str) -> None:
        """The status message."""

    def set_trailing_metadata(self, trailing_metadata: list[tuple[str, str | bytes]]) -> None:
        """What goes with the status."""


def invalid_input(call: Call, invalid: InvalidInput) -> None:
    """INVALID_ARGUMENT, naming each bad field, or the first 16 and how many more."""
    shown, rest = invalid.violations[:MOST_VIOLATIONS], len(invalid.violations[MOST_VIOLATIONS:]) + invalid.more
    bad_request = error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(field=_cut(each.field), description=_cut(each.description, 200))
            for each in shown
        ]
    )
    message = _cut(str(invalid)) + (f" ({rest} more bad fields are not shown)" if rest else "")
    _refuse(call, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_INPUT", message, bad_request, not_shown=rest)


def too_busy(call: Call, *, running: int, retry_delay_s: float) -> None:
    """RESOURCE_EXHAUSTED, with the time after which to try again."""
    message = f"{running} simulations run already: try again in {retry_delay_s:g} s, or add ingress replicas."
    delay = Duration()
    delay.FromMilliseconds(round(retry_delay_s * 1000))
    retry = error_details_pb2.RetryInfo(retry_delay=delay)
    _refuse(call, grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_SIMULATIONS", message, retry)


def no_workers(call: Call) -> None:
    """UNAVAILABLE: worker after worker died over the same blocks, or accounts."""
    message = "Worker after worker was lost over the same work: try again, and look at the workers' memory limits."
    _refuse(call, grpc.StatusCode.UNAVAILABLE, "WORKERS_LOST", message)


def internal(call: Call, simulation: str) -> None:
    """INTERNAL, with nothing but the name under which the log has the rest."""
    _refuse(call, grpc.StatusCode.INTERNAL, "INTERNAL", f"The engine failed; its log says why, under {simulation}.")


def _refuse(
    call: Call, code: grpc.StatusCode, reason: str, message: str, *details: Message, not_shown: int = 0
) -> None:
    status = status_pb2.Status(code=code_pb2.Code.Value(code.name), message=message)
    metadata = {NOT_SHOWN: str(not_shown)} if not_shown else {}
    for detail in (error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata), *details):
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    call.set_code(code)
    call.set_details(message)
    call.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])


def _cut(text: str, most: int = MOST_CHARACTERS) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
