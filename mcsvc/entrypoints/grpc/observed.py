"""What is told of each call: a server span under the caller's, a metric, and one line of access log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from mcsvc.entrypoints.grpc.around import Call
from mcsvc.observability.logs import get_logger
from mcsvc.observability.metrics import Metrics
from mcsvc.observability.tracing import context_of

_log = get_logger("mcsvc.access")
_OUR_FAULT = {
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """See the module."""

    tracer: Tracer
    metrics: Metrics

    @contextmanager
    def __call__(self, call: Call) -> Iterator[None]:
        """Around one call."""
        started = time.perf_counter()
        parent = call.metadata.get("traceparent", "")
        with self.tracer.start_as_current_span(
            call.method[1:],
            context=context_of(str(parent)),
            kind=SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as opened:
            try:
                yield
            finally:
                self._tell(call, opened, time.perf_counter() - started)

    def _tell(self, call: Call, opened: Span, elapsed_s: float) -> None:
        code = call.code() if call.context.is_active() or call.ended_by_itself() else grpc.StatusCode.CANCELLED
        opened.set_attribute("rpc.grpc.status_code", code.value[0])
        if code in _OUR_FAULT:
            opened.set_status(Status(StatusCode.ERROR, code.name))
        self.metrics.rpc_duration.record(elapsed_s, {"rpc.method": call.method[1:], "rpc.status": code.name})
        _log.info(
            "rpc",
            method=call.method,
            code=code.name,
            duration_ms=round(elapsed_s * 1000, 3),
            peer=call.context.peer(),
        )
