"""What is counted about jobs (OpenTelemetry; without a configured meter these calls do nothing)."""

from __future__ import annotations

from opentelemetry import metrics

from mcsvc.domain.job import Failure, Job, Timing

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""For every histogram of seconds: calls take milliseconds, runs minutes, and a job may wait for an hour."""

_meter = metrics.get_meter("mcsvc")
_attempts = _meter.create_counter("mcsvc.job.attempts", unit="{attempt}", description="Attempts ended, by outcome")
_phases = _meter.create_histogram(
    "mcsvc.job.phase.duration",
    unit="s",
    description="Seconds of a job, by phase",
    explicit_bucket_boundaries_advisory=BUCKETS_S,
)


def attempt_succeeded(job: Job, timing: Timing) -> None:
    """An attempt ended well, and so did its job."""
    _attempts.add(1, {"outcome": "succeeded", "trigger": job.trigger.value, "code": ""})
    _phases.record(timing.queued_s, {"phase": "queued"})
    _phases.record(timing.fetch_s, {"phase": "fetch"})
    _phases.record(timing.simulate_s, {"phase": "simulate"})


def attempt_failed(job: Job, failure: Failure) -> None:
    """An attempt failed; `job` is what became of it: PENDING again, or FAILED."""
    outcome = "failed" if job.state.final else "retried"
    _attempts.add(1, {"outcome": outcome, "trigger": job.trigger.value, "code": failure.code})


def attempt_dropped(job: Job, *, reason: str) -> None:
    """An attempt ended without an outcome: its term was lost, or it was handed back."""
    _attempts.add(1, {"outcome": reason, "trigger": job.trigger.value, "code": ""})
