"""What becomes of a message of assessment.completed: a job, nothing, a dead letter, or another try."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsvc.app.ingest_assessment import AssessmentCompleted, IngestAssessment
from mcsvc.domain.errors import EventBusUnavailable, MessageTooLarge, Retryable, StoreUnavailable
from mcsvc.domain.job import Job, Trigger
from mcsvc.entrypoints.assessment_events import MAX_BYTES, PoisonMessage, decode_event
from mcsvc.entrypoints.assessment_inbox import AssessmentInbox
from mcsvc.entrypoints.dead_letters import DeadLetters, Origin
from mcsvc.observability.tracing import no_tracer
from mcsvc.ports.job_store import JobFilter
from tests.mcsvc_harness import System

BODY = {"id": "e-1", "source": "core", "assessment_id": "A-1", "outcome": "PASSED", "later": {"field": 1}}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class KeptLetters:
    """A sender that keeps what it is given, up to `most` bytes each; `up` set to False makes it refuse."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes | None, dict[str, object]]] = []
        self.up = True
        self.most = 10 * MAX_BYTES

    def send(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, str | bytes | None]],
        timeout: timedelta,
    ) -> None:
        if not self.up:
            raise EventBusUnavailable("no broker")
        parts = [key, value, *(part for header in headers for part in header)]
        if sum(len(part.encode() if isinstance(part, str) else part or b"") for part in parts) > self.most:
            raise MessageTooLarge("too large")
        self.sent.append((topic, value, dict(headers)))


class Inbox:
    """An inbox over the fakes."""

    def __init__(self) -> None:
        self.system = System()
        self.letters = KeptLetters()
        self.inbox = self.over(IngestAssessment(trigger=self.system.trigger))

    def over(self, ingest: object) -> AssessmentInbox:
        return AssessmentInbox(
            ingest=ingest,  # type: ignore[arg-type]  # any callable a test gives
            dead_letters=DeadLetters(sender=self.letters, topic="dlq"),
            tracer=self.system.recorder.tracer,
            metrics=self.system.recorder.metrics,
        )

    def jobs(self) -> list[Job]:
        return self.system.store.find(JobFilter(), limit=10)

    def outcomes(self) -> dict[str, int]:
        return self.system.recorder.counts("mcsvc.consumer.messages")


def message(body: object = BODY, headers: dict[str, str] | None = None) -> Origin:
    value = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Origin(
        topic="assessment.completed",
        partition=2,
        offset=7,
        key=b"k",
        value=value,
        headers=[(name, text.encode()) for name, text in (headers or {}).items()],
    )


def test_a_passed_assessment_makes_a_job_in_the_events_trace() -> None:
    inbox = Inbox()
    inbox.inbox.process(message(headers={"traceparent": PARENT}), tries=1)
    [job] = inbox.jobs()
    assert (job.subject.ref, job.trigger, job.dedup_key) == (
        "A-1",
        Trigger.ASSESSMENT_COMPLETED,
        'event:["core", "e-1"]',
    )
    assert job.trace_parent.split("-")[1] == PARENT.split("-")[1]
    assert job.trace_parent != PARENT
    assert inbox.outcomes() == {"job": 1}


@pytest.mark.parametrize(("parent", "kept"), [(PARENT, PARENT), ("x" * 500_000, "")])
def test_without_traces_of_its_own_a_service_passes_on_only_a_well_formed_one(parent: str, kept: str) -> None:
    bench = Inbox()
    inbox = replace(bench.inbox, tracer=no_tracer())
    inbox.process(message(headers={"traceparent": parent}), tries=1)
    assert [job.trace_parent for job in bench.jobs()] == [kept]


def test_an_event_delivered_again_makes_no_second_job() -> None:
    inbox = Inbox()
    for _ in range(3):
        inbox.inbox.process(message(), tries=1)
    assert len(inbox.jobs()) == 1


def test_cloudevents_headers_identify_the_event() -> None:
    event = decode_event({"ce_id": "h-1", "ce_source": "hs"}, json.dumps(BODY).encode())
    assert event == AssessmentCompleted(source="hs", event_id="h-1", assessment_id="A-1", outcome="PASSED")


@pytest.mark.parametrize("outcome", ["FAILED", "EXPIRED", "anything"])
def test_only_passed_assessments_make_jobs(outcome: str) -> None:
    inbox = Inbox()
    inbox.inbox.process(message({**BODY, "outcome": outcome}), tries=1)
    assert inbox.jobs() == []
    assert inbox.outcomes() == {"not_passed": 1}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "EMPTY"),
        (b"\xff\xfe", "NOT_JSON"),
        (b"{", "NOT_JSON"),
        (b"[" * 100_000, "NOT_JSON"),
        (b"7", "NOT_JSON"),
        (b'{"\\ud800": 1, "\\ud800": 2}', "NOT_JSON"),
        (b'{"assessment_id": 7}', "NOT_JSON"),
        (b" " * (MAX_BYTES + 1), "TOO_LARGE"),
        ({**BODY, "id": ""}, "BAD_EVENT_ID"),
        ({**BODY, "source": "x" * 129}, "BAD_EVENT_SOURCE"),
        ({**BODY, "assessment_id": "a\x00b"}, "BAD_ASSESSMENT_ID"),
        ({**BODY, "outcome": ""}, "BAD_OUTCOME"),
    ],
)
def test_a_poison_message_becomes_a_dead_letter_with_reason_and_origin(body: object, reason: str) -> None:
    inbox = Inbox()
    poison = message(body, {"own": "header"})
    inbox.inbox.process(poison, tries=1)
    [(topic, value, headers)] = inbox.letters.sent
    assert (topic, value) == ("dlq", poison.value)
    assert headers["dlq_reason"] == reason
    assert (headers["dlq_topic"], headers["dlq_partition"], headers["dlq_offset"]) == ("assessment.completed", "2", "7")
    assert headers["own"] == b"header"
    assert inbox.outcomes() == {"dead_lettered": 1}
    assert inbox.jobs() == []


def test_an_identity_used_for_another_assessment_is_a_dead_letter() -> None:
    inbox = Inbox()
    inbox.inbox.process(message(), tries=1)
    inbox.inbox.process(message({**BODY, "assessment_id": "A-2"}), tries=1)
    assert [headers["dlq_reason"] for _, _, headers in inbox.letters.sent] == ["REFUSED"]


def test_a_database_that_is_away_leaves_the_message_undone() -> None:
    inbox = Inbox()
    inbox.system.store.faults.append(StoreUnavailable("away"))
    with pytest.raises(StoreUnavailable):
        inbox.inbox.process(message(), tries=50)
    assert inbox.letters.sent == []


def test_a_dead_letter_that_cannot_be_sent_leaves_the_message_undone() -> None:
    inbox = Inbox()
    inbox.letters.up = False
    with pytest.raises(EventBusUnavailable):
        inbox.inbox.process(message(b"{"), tries=1)
    assert inbox.outcomes() == {}


@pytest.mark.parametrize(("most", "left"), [(MAX_BYTES, 64 * 1024), (10_000, 1024), (1_000, 0)])
def test_of_a_message_too_large_for_the_topic_the_beginning_is_kept_with_the_size_and_digest_of_it(
    most: int, left: int
) -> None:
    inbox = Inbox()
    inbox.letters.most = most
    poison = message(b"x" * (MAX_BYTES + 1), {"own": "header"})
    inbox.inbox.process(poison, tries=1)
    [(topic, value, headers)] = inbox.letters.sent
    assert (topic, value) == ("dlq", b"x" * left)
    assert headers["dlq_size"] == str(MAX_BYTES + 1)
    assert headers["dlq_sha256"] == hashlib.sha256(poison.value or b"").hexdigest()
    assert (headers["dlq_reason"], headers["dlq_offset"]) == ("TOO_LARGE", "7")
    assert headers.get("own") == (b"header" if left else None)
    assert inbox.outcomes() == {"dead_lettered": 1}


def test_neither_a_large_key_nor_large_headers_keep_a_message_from_its_letter() -> None:
    inbox = Inbox()
    inbox.letters.most = 10_000
    poison = replace(message(b"{", {"small": "1", "large": "h" * 20_000}), key=b"k" * 20_000)
    inbox.inbox.process(poison, tries=1)
    [(_, value, headers)] = inbox.letters.sent
    assert (value, headers["small"]) == (b"{", b"1")
    assert "large" not in headers


def test_a_topic_that_takes_no_letter_at_all_leaves_the_message_undone() -> None:
    inbox = Inbox()
    inbox.letters.most = 10
    with pytest.raises(EventBusUnavailable, match=r"max\.message\.bytes"):
        inbox.inbox.process(message(b"{"), tries=1)
    assert inbox.outcomes() == {}


def test_an_unforeseen_error_is_tried_again_and_then_buried() -> None:
    def broken(_: AssessmentCompleted) -> Job | None:
        raise ZeroDivisionError("hunter2")

    inbox = Inbox()
    broken_inbox = inbox.over(broken)
    for tries in (1, 2):
        with pytest.raises(Retryable):
            broken_inbox.process(message(), tries=tries)
    broken_inbox.process(message(), tries=3)
    [(_, _, headers)] = inbox.letters.sent
    assert headers["dlq_reason"] == "UNFORESEEN"
    assert "hunter2" not in str(headers)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_decoder(value: bytes) -> None:
    with suppress(PoisonMessage):
        decode_event({}, value)
