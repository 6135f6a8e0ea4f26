"""Traces and metrics of ingress and workers, by OTLP over gRPC where OTEL_EXPORTER_OTLP_ENDPOINT is set, else none.

The providers are our own, not the process-wide ones, which Ray may use for itself. Context travels in plain dicts: as
the caller's gRPC metadata, and with each chunk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_NAME: Final = "simulator"
_PROPAGATOR: Final = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """Instruments: path_steps and chunks count up; running is simulations, busy workers, at this moment."""

    tracer: trace.Tracer
    path_steps: metrics.Counter
    chunks: metrics.Counter
    running: metrics.UpDownCounter
    busy: metrics.UpDownCounter
    close: Callable[[], None]


def start(role: str) -> Telemetry:
    """Telemetry of this process; `role` is ingress or worker."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return _instruments(trace.NoOpTracerProvider(), metrics.NoOpMeterProvider(), lambda: None)
    return _exporting(role)


def parent_of(carrier: Mapping[str, str]) -> Context:
    """The caller's trace context, empty if it sent none."""
    return _PROPAGATOR.extract(carrier)


def carrier_of(span: trace.Span) -> dict[str, str]:
    """What another process needs to open child spans."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, trace.set_span_in_context(span, Context()))
    return carrier


def _exporting(role: str) -> Telemetry:
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter  # noqa: PLC0415 — only if on
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 — only if on
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 — only if on
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415 — only if on
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 — only if on
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 — only if on
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 — only if on

    name = os.environ.get("MCSIM_SERVICE_NAME", "montecarlo-simulator")
    resource = Resource.create({"service.name": name, "service.instance.id": f"{role}-{os.getpid()}"})
    traces = TracerProvider(resource=resource, shutdown_on_exit=False)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    meters = MeterProvider(
        [PeriodicExportingMetricReader(OTLPMetricExporter())], resource=resource, shutdown_on_exit=False
    )

    def close() -> None:
        traces.shutdown()
        meters.shutdown(timeout_millis=1_000)

    return _instruments(traces, meters, close)


def _instruments(traces: trace.TracerProvider, meters: metrics.MeterProvider, close: Callable[[], None]) -> Telemetry:
    meter = meters.get_meter(_NAME)
    return Telemetry(
        tracer=traces.get_tracer(_NAME),
        path_steps=meter.create_counter("engine.path_steps", "{step}", "Trades simulated, over all paths"),
        chunks=meter.create_counter("engine.chunks", "{chunk}", "Chunks of blocks a worker has done"),
        running=meter.create_up_down_counter("engine.simulations.running", "{simulation}", "Simulations in progress"),
        busy=meter.create_up_down_counter("engine.workers.busy", "{worker}", "Workers that compute at this moment"),
        close=close,
    )
