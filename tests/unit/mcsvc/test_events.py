"""The events that are owed are far smaller than any that Kafka refuses."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mcsvc.app.events import completed_event, failed_event
from mcsvc.domain.job import Failure, Trigger
from mcsvc.domain.subject import Subject, SubjectKind
from mcsvc.entrypoints.api.fields import ID_LENGTH
from mcsvc.ports.job_store import OutboxEvent
from montecarlo.v1.result_pb2 import Estimate, Outcomes
from tests.job_samples import new_job

MOST_BYTES = 128 * 1024
LARGEST = "\N{GRINNING FACE}"  # twelve bytes as an escape in JSON


def size(event: OutboxEvent) -> int:
    """Bytes of a message, as Kafka counts them, within a few."""
    return len(event.payload) + sum(len(name) + len(value) for name, value in event.headers.items()) + len(event.key)


@pytest.mark.parametrize("kind", [SubjectKind.ASSESSMENT, SubjectKind.FUNDED_ACCOUNT])
def test_no_event_is_nearly_too_large_for_a_topic_whatever_it_quotes(kind: SubjectKind) -> None:
    long = -math.nextafter(1e-300, 0.0)
    estimate = Estimate(value=long, std_error=long, ci_low=long, ci_high=long)
    outcomes = Outcomes(passed=estimate, breached_max_drawdown=estimate, breached_daily_loss=estimate, expired=estimate)
    job = replace(
        new_job(subject=Subject(kind=kind, ref=LARGEST * ID_LENGTH), trigger=Trigger.ASSESSMENT_COMPLETED),
        finish_time=datetime.now(UTC),
        failure=Failure(code="CORE_SERVICE_INVALID", message=LARGEST * 2_000_000),
        input_digest="f" * 64,
        result_digest="f" * 64,
        trace_parent="0" * 55,
    )
    assert size(completed_event(job, outcomes)) < MOST_BYTES
    assert MOST_BYTES / 4 < size(failed_event(job)) < MOST_BYTES
