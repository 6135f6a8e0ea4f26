"""What is counted at the seams; `app/metrics.py` counts the jobs. Prometheus writes `_` for `.` in the names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Meter, NoOpMeter, Observation, UpDownCounter
from opentelemetry.metrics import _Gauge as Gauge  # the API's synchronous gauge has no public name yet

from mcsvc.app.metrics import BUCKETS_S

COUNTED = "counted up to 10,000"


@final
class Reading:
    """A gauge of what was read last. It says nothing while that is not known."""

    def __init__(self) -> None:
        self._read: list[Observation] = []

    def set(self, value: float) -> None:
        """What was just read."""
        self._read = [Observation(value)]

    def set_each(self, label: str, values: Mapping[str, float]) -> None:
        """What was just read, a value for each value of the label."""
        self._read = [Observation(value, {label: name}) for name, value in values.items()]

    def forget(self) -> None:
        """It could not be read."""
        self._read = []

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        """For OpenTelemetry."""
        return self._read


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
    jobs_pending: Reading
    jobs_due_for: Reading
    outbox_unsent: Reading
    dependency_up: Gauge

    @staticmethod
    def of(meter: Meter) -> Metrics:
        """All instruments, made by this meter."""

        def timing(name: str, description: str) -> Histogram:
            return meter.create_histogram(
                name, unit="s", description=description, explicit_bucket_boundaries_advisory=BUCKETS_S
            )

        def reading(name: str, unit: str, description: str) -> Reading:
            made = Reading()
            meter.create_observable_gauge(name, [made.observe], unit=unit, description=description)
            return made

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
            jobs_pending=reading("mcsvc.jobs.pending", "", f"Jobs that wait for a worker or a retry, {COUNTED}"),
            jobs_due_for=reading("mcsvc.jobs.due_for", "s", "How long the job longest due has been so, by trigger"),
            outbox_unsent=reading("mcsvc.outbox.unsent", "", f"Events owed to Kafka, {COUNTED}"),
            dependency_up=meter.create_gauge("mcsvc.dependency.up", description="1 if the dependency answers, else 0"),
        )

    @staticmethod
    def none() -> Metrics:
        """Instruments that record nothing, for tests."""
        return Metrics.of(NoOpMeter("none"))
