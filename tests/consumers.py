"""Consumers of assessment.completed over the fakes, on a real broker, driven by a test."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

from mcsvc.adapters.clock import SystemClock
from mcsvc.adapters.kafka import KafkaPublisher
from mcsvc.app.ingest_assessment import AssessmentCompleted, IngestAssessment
from mcsvc.domain.job import Job
from mcsvc.entrypoints.assessment_inbox import AssessmentInbox
from mcsvc.entrypoints.dead_letters import DeadLetters
from mcsvc.entrypoints.kafka_consumer import AssessmentConsumer, ConsumerSettings
from mcsvc.kafka_access import KafkaAccess
from mcsvc.ports.job_store import JobFilter
from tests.broker import make_topics
from tests.mcsvc_harness import System

DEADLINE_S = 30.0
POLL = timedelta(milliseconds=100)
LONG_S = 90.0


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for what cannot be waited for. Fails if it does not come true."""
    deadline = time.monotonic() + LONG_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {LONG_S:.0f} s: {what}"
        time.sleep(0.05)  # it cannot be waited for


def body(number: int) -> bytes:
    """The event that assessment A-number is passed."""
    event = {"id": f"e-{number}", "source": "core", "assessment_id": f"A-{number}", "outcome": "PASSED"}
    return json.dumps(event).encode()


class Consumers:
    """Consumers of one group on one topic, over one store. `access` is theirs if it is not that of the test."""

    def __init__(self, brokers: str, topic: str, access: KafkaAccess | None = None) -> None:
        self.brokers = brokers
        self.access = access or KafkaAccess(brokers=brokers)
        self.topic = topic
        self.dead_letters = f"{topic}.dlq"
        make_topics(brokers, [self.dead_letters])
        self.system = System()
        self.publisher = KafkaPublisher(self.access, client_id="test")
        self._ingest = IngestAssessment(trigger=self.system.trigger)
        self._done: list[str] = []
        self.group = f"group-{uuid4().hex}"

    @contextmanager
    def one(self) -> Iterator[AssessmentConsumer]:
        """A member of the group."""
        recorder = self.system.recorder
        inbox = AssessmentInbox(
            ingest=self._noted,
            dead_letters=DeadLetters(sender=self.publisher, topic=self.dead_letters),
            tracer=recorder.tracer,
            metrics=recorder.metrics,
        )
        settings = ConsumerSettings(
            access=self.access,
            client_id="test",
            group_id=self.group,
            topic=self.topic,
            session_timeout=timedelta(seconds=6),
            retry_base=timedelta(milliseconds=10),
            retry_cap=timedelta(milliseconds=40),
        )
        consumer = AssessmentConsumer(settings, inbox, SystemClock())
        try:
            yield consumer
        finally:
            consumer.close()

    def _noted(self, event: AssessmentCompleted) -> Job | None:
        job = self._ingest(event)
        self._done.append(event.assessment_id)
        return job

    def ingested(self) -> list[str]:
        """Assessments that have a job, in the order in which they were first done."""
        made = {job.subject.ref for job in self.system.store.find(JobFilter(), limit=100)}
        assert made == set(self._done)
        return list(dict.fromkeys(self._done))

    def outcomes(self) -> dict[str, int]:
        """Messages by what became of them."""
        return self.system.recorder.counts("mcsvc.consumer.messages")


def drive(*members: AssessmentConsumer, until: Callable[[], bool]) -> None:
    """Run the members in turn until the condition holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not until():
        assert time.monotonic() < deadline, "the condition did not come to hold"
        for member in members:
            member.run_once(wait=POLL)
