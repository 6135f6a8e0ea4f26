"""Sets OpenTelemetry up: traces by OTLP where OTEL_EXPORTER_OTLP_ENDPOINT says, metrics also as Prometheus text.

`set_up` touches nothing global; a process that is wholly the service also calls `make_global`, for the code that
records through OpenTelemetry's global API (the use-cases, the Core Service client).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Tracer
from prometheus_client import CollectorRegistry, generate_latest

from mcsvc.config import Config
from mcsvc.observability.metrics import Metrics

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """What records (`tracer`, `metrics`), what shows (`prometheus`), and `shutdown`, which flushes."""

    tracer: Tracer
    metrics: Metrics
    prometheus: Callable[[], bytes]
    make_global: Callable[[], None]
    shutdown: Callable[[], None]


def set_up(config: Config, environ: Mapping[str, str], *, spans: SpanExporter | None = None) -> Telemetry:
    """The telemetry of this process. `spans` takes the traces in place of OTLP, for tests."""
    exporting = bool(environ.get(ENDPOINT))
    resource = _resource(config)
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = spans or (OTLPSpanExporter() if exporting else None)
    if exporter is not None:
        tracers.add_span_processor(BatchSpanProcessor(exporter))
    registry = CollectorRegistry()
    readers: list[MetricReader] = [PrometheusMetricReader(registry=registry, scope_info_enabled=False)]
    if exporting:
        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
    meters = MeterProvider(readers, resource=resource, shutdown_on_exit=False)

    def make_global() -> None:
        trace.set_tracer_provider(tracers)
        metrics.set_meter_provider(meters)

    def shutdown() -> None:
        tracers.shutdown()
        meters.shutdown(timeout_millis=3_000)

    return Telemetry(
        tracer=tracers.get_tracer("mcsvc"),
        metrics=Metrics.of(meters.get_meter("mcsvc")),
        prometheus=lambda: generate_latest(registry),
        make_global=make_global,
        shutdown=shutdown,
    )


def _resource(config: Config) -> Resource:
    attributes = {"service.name": "mcsvc", "deployment.environment.name": config.environment}
    if config.aws_region:
        attributes["cloud.region"] = config.aws_region
    return Resource.create(attributes)
