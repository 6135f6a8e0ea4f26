"""Traces: one span tree from the call or event that made a job to the event that tells its end.

A trace crosses a process, a database row or a Kafka header as a W3C traceparent, a plain string.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_W3C = TraceContextTextMapPropagator()


def current_traceparent() -> str:
    """The traceparent of the span we are in; empty outside any."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get("traceparent", "")


def context_of(traceparent: str) -> Context:
    """The context that makes new spans children of this traceparent; of none if it is empty or malformed."""
    return _W3C.extract({"traceparent": traceparent} if traceparent else {}, context=Context())


def well_formed(traceparent: str) -> str:
    """The traceparent; empty if it is malformed, and then perhaps as large as a message may be."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, context_of(traceparent))
    return carrier.get("traceparent", "")


@contextmanager
def span(
    tracer: Tracer,
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: str | None = None,
    attributes: Mapping[str, str | int | float] | None = None,
) -> Iterator[Span]:
    """A span around a block: under `parent` (a traceparent; "" starts a trace), else under the present span."""
    context = None if parent is None else context_of(parent)
    with tracer.start_as_current_span(
        name, context=context, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as opened:
        try:
            yield opened
        except Exception as error:
            opened.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def no_tracer() -> Tracer:
    """A tracer that records nothing, for tests."""
    return trace.NoOpTracer()
