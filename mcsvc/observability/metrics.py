"""What is counted at the seams; `app/metrics.py` counts the jobs. Prometheus writes `_` for `.` in the names."""

from __future__ import annotations

from dataclasses import dataclass

from opentelemetry.metrics import Counter, Histogram, Meter, NoOpMeter, UpDownCounter
from opentelemetry.metrics import _Gauge as Gauge  # the API's synchronous gauge has no public name yet

_CALLS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Every instrument, by what it measures."""

    rpc_duration: Histogram
    http_duration: Histogram
    streams: UpDownCounter
    jobs_triggered: Counter
    path_steps: Counter
    consumer_messages: Counter
    partitions_held: Gauge
    sweep_accounts: Counter
    sweep_last_success: Gauge
    outbox_unsent: Gauge
    dependency_up: Gauge

    @staticmethod
    def of(meter: Meter) -> Metrics:
        """All instruments, made by this meter."""

        def timing(name: str, description: str) -> Histogram:
            return meter.create_histogram(
                name, unit="s", description=description, explicit_bucket_boundaries_advisory=_CALLS_S
            )

        return Metrics(
            rpc_duration=timing("mcsvc.rpc.duration", "gRPC calls, by method and status code"),
            http_duration=timing("mcsvc.http.duration", "HTTP requests, by route and status"),
            streams=meter.create_up_down_counter("mcsvc.rpc.streams", description="Open response streams, by method"),
            jobs_triggered=meter.create_counter("mcsvc.jobs.triggered", description="Trigger requests, by trigger"),
            path_steps=meter.create_counter("mcsvc.engine.path_steps", description="Trades simulated by the engine"),
            consumer_messages=meter.create_counter("mcsvc.consumer.messages", description="Kafka messages, by outcome"),
            partitions_held=meter.create_gauge(
                "mcsvc.consumer.held", description="Kafka partitions that wait behind a message that cannot be done now"
            ),
            sweep_accounts=meter.create_counter("mcsvc.sweep.accounts", description="Accounts swept, by outcome"),
            sweep_last_success=meter.create_gauge(
                "mcsvc.sweep.last_success", unit="s", description="When a sweep last went well, since 1970"
            ),
            outbox_unsent=meter.create_gauge(
                "mcsvc.outbox.unsent", description="Events owed to Kafka, counted up to 100"
            ),
            dependency_up=meter.create_gauge("mcsvc.dependency.up", description="1 if the dependency answers, else 0"),
        )

    @staticmethod
    def none() -> Metrics:
        """Instruments that record nothing, for tests."""
        return Metrics.of(NoOpMeter("none"))
