"""What the engine's gRPC statuses mean: a bad input stays bad, everything else may be different next time."""

from __future__ import annotations

from datetime import timedelta

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from mcsvc.domain.errors import EngineRejected, EngineUnavailable, Violation

_BAD_INPUT = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE}
_MEANING = {
    grpc.StatusCode.UNAVAILABLE: "The engine cannot be reached",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "The engine is busy",
    grpc.StatusCode.DEADLINE_EXCEEDED: "The engine was out of time",
    grpc.StatusCode.NOT_FOUND: "Ray Serve knows no application of this name (yet)",
}


def run_error(error: grpc.RpcError) -> EngineRejected | EngineUnavailable:
    """The service's own error for a run that failed."""
    status = _status(error)
    if error.code() in _BAD_INPUT:
        return EngineRejected(_violations(status, error.details() or ""), more=_not_shown(status))
    shed = error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and _retry_after(status) is not None
    return _unavailable(error, away=shed or error.code() is grpc.StatusCode.NOT_FOUND)


def ping_error(error: grpc.RpcError) -> EngineUnavailable:
    """The service's own error for a ping that failed."""
    return _unavailable(error, away=True)


def _unavailable(error: grpc.RpcError, *, away: bool) -> EngineUnavailable:
    meaning = _MEANING.get(error.code(), "The engine broke off")
    first_line = (error.details() or "").strip().partition("\n")[0][:500]
    message = f"{meaning} ({error.code().name}: {first_line}). Check RAY_SERVE_URL and the simulator."
    return EngineUnavailable(message, retry_after=_retry_after(_status(error)), away=away)


def _status(error: grpc.RpcError) -> status_pb2.Status:
    """The rich status that came with the error; an empty one if none came or it cannot be read."""
    try:
        status: status_pb2.Status | None = rpc_status.from_call(error)
    except ValueError:
        status = None
    return status or status_pb2.Status()


def _violations(status: status_pb2.Status, details: str) -> list[Violation]:
    bad = error_details_pb2.BadRequest()
    for detail in status.details:
        if detail.Unpack(bad):
            return [Violation(field=each.field, description=each.description) for each in bad.field_violations]
    return [Violation(field="input", description=details)]


def _not_shown(status: status_pb2.Status) -> int:
    """How many bad fields the engine counted and did not name."""
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            count: str = info.metadata.get("not_shown", "")
            return int(count) if count.isdecimal() else 0
    return 0


def _retry_after(status: status_pb2.Status) -> timedelta | None:
    info = error_details_pb2.RetryInfo()
    for detail in status.details:
        if detail.Unpack(info):
            delay: timedelta = info.retry_delay.ToTimedelta()
            return delay
    return None
