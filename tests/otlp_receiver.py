"""An OpenTelemetry collector for tests: takes spans and metrics over a loopback port, waits for what is claimed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedSpan:
    """One span. Ids are hex; `instance` is the resource's service.instance.id."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    instance: str
    attributes: dict[str, Any]


@dataclass(slots=True)
class OtlpReceiver:
    """All that has arrived. `gauges`: the latest value by metric and instance."""

    endpoint: str = ""
    spans: list[ReceivedSpan] = field(default_factory=list)
    gauges: dict[tuple[str, str], float] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, claim: Callable[[OtlpReceiver], bool], *, within_s: float) -> float:
        """Seconds until the claim held. Raises AssertionError if it does not in time."""
        started = time.monotonic()
        with self.changed:
            if not self.changed.wait_for(lambda: claim(self), timeout=within_s):
                raise AssertionError(f"not so within {within_s} s; spans: {self.spans[-9:]}, gauges: {self.gauges}")
        return time.monotonic() - started

    def forget(self, instance: str) -> None:
        """A process that was killed could not take its last values back."""
        with self.changed:
            self.gauges = {key: value for key, value in self.gauges.items() if key[1] != instance}

    def sum_of(self, metric: str) -> float:
        """Of the latest values of all instances."""
        return sum(value for (name, _), value in self.gauges.items() if name == metric)

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 — the name of both RPCs
        """Takes spans or metrics."""
        with self.changed:
            if isinstance(request, trace_service_pb2.ExportTraceServiceRequest):
                self.spans.extend(_spans(request))
                answer: Any = trace_service_pb2.ExportTraceServiceResponse()
            else:
                self.gauges.update(_values(request))
                answer = metrics_service_pb2.ExportMetricsServiceResponse()
            self.changed.notify_all()
        return answer


@contextmanager
def otlp_receiver() -> Iterator[OtlpReceiver]:
    """A receiver on a free port."""
    receiver = OtlpReceiver()
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(receiver, server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(receiver, server)
    receiver.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield receiver
    finally:
        server.stop(grace=None).wait()


def _spans(request: Any) -> Iterator[ReceivedSpan]:
    for resource in request.resource_spans:
        instance = _attributes(resource.resource.attributes).get("service.instance.id", "")
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            yield ReceivedSpan(
                name=span.name,
                trace_id=span.trace_id.hex(),
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex(),
                instance=instance,
                attributes=_attributes(span.attributes),
            )


def _values(request: Any) -> Iterator[tuple[tuple[str, str], float]]:
    for resource in request.resource_metrics:
        instance = _attributes(resource.resource.attributes).get("service.instance.id", "")
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            points = metric.sum.data_points or metric.gauge.data_points
            yield (metric.name, instance), sum(point.as_int or point.as_double for point in points)


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
