"""One trace from the trigger through the job to its event: the W3C traceparent that travels with a job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from mcsvc.domain.job import Failure, Job

_propagator = TraceContextTextMapPropagator()


@contextmanager
def job_span(job: Job) -> Iterator[Span]:
    """The span `job.run` of one attempt, a child of whatever made the job."""
    parent = _propagator.extract({"traceparent": job.trace_parent})
    attributes: dict[str, str | int] = {
        "mcsvc.job.id": str(job.id),
        "mcsvc.job.attempt": job.attempt,
        "mcsvc.job.trigger": job.trigger.value,
        "mcsvc.job.subject": job.subject.kind.value,
    }
    tracer = trace.get_tracer("mcsvc")
    with tracer.start_as_current_span("job.run", context=parent, kind=SpanKind.CONSUMER, attributes=attributes) as span:
        yield span


def mark_failed(failure: Failure) -> None:
    """The present span ended in this failure."""
    span = trace.get_current_span()
    span.set_attribute("error.type", failure.code)
    span.set_status(Status(StatusCode.ERROR, failure.code))


def trace_parent() -> str:
    """The traceparent of the present span; empty if there is none."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent", "")
