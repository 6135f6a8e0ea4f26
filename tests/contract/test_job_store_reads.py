"""What every job store promises of lists, of freshness and of the outbox."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mcsvc.domain.job import Job, State, Timing, Trigger, term_of
from mcsvc.domain.subject import Subject, SubjectKind
from mcsvc.ports.job_store import Backlog, Cursor, JobFilter, JobStore
from tests.contract.job_steps import claimed, created, due, owe
from tests.job_samples import (
    ACCOUNT,
    ASSESSMENT,
    AT_ONCE,
    FAILURE,
    event_of,
    new_job,
)

HOUR = timedelta(hours=1)
NONE_DUE = dict.fromkeys(Trigger, timedelta(0))
TIMING = Timing(queued_s=0.5, fetch_s=1.5, simulate_s=2.5)


def test_pages_of_a_list_show_every_job_once_newest_first(store: JobStore) -> None:
    jobs = [created(store) for _ in range(7)]
    newest_first = sorted(jobs, key=lambda job: (job.create_time, job.id), reverse=True)
    seen: list[Job] = []
    after = None
    while page := store.find(JobFilter(), limit=3, after=after):
        seen += page
        after = Cursor(create_time=page[-1].create_time, id=page[-1].id)
    assert seen == newest_first


def test_a_list_shows_only_what_its_filter_asks_for(store: JobStore) -> None:
    assessment = created(store, new_job(subject=ASSESSMENT, trigger=Trigger.ASSESSMENT_COMPLETED))
    account = created(store, new_job(subject=ACCOUNT, trigger=Trigger.SCHEDULE))
    same_ref = created(store, new_job(subject=replace(ACCOUNT, ref=ASSESSMENT.ref)))
    store.cancel(same_ref.id)

    def found(where: JobFilter) -> set[object]:
        return {job.id for job in store.find(where, limit=10)}

    assert found(JobFilter(assessment_id=ASSESSMENT.ref)) == {assessment.id}
    assert found(JobFilter(funded_account_id=ACCOUNT.ref)) == {account.id}
    assert found(JobFilter(state=State.CANCELLED)) == {same_ref.id}
    assert found(JobFilter(state=State.PENDING, trigger=Trigger.SCHEDULE)) == {account.id}
    assert found(JobFilter(state=State.PENDING, funded_account_id=ASSESSMENT.ref)) == set()


def test_a_list_is_bounded_by_create_time_at_either_end_inclusive_or_not(store: JobStore) -> None:
    job = created(store)
    at, tick = job.create_time, timedelta(microseconds=1)
    inside = [JobFilter(created_from=at), JobFilter(created_until=at), JobFilter(created_after=at - tick)]
    outside = [JobFilter(created_after=at), JobFilter(created_before=at), JobFilter(created_from=at + tick)]
    assert all(store.find(where, limit=10) == [job] for where in inside)
    assert all(store.find(where, limit=10) == [] for where in outside)


def test_only_jobs_that_are_recent_and_not_lost_count_as_simulated(store: JobStore) -> None:
    def subject(ref: str) -> Subject:
        return Subject(kind=SubjectKind.FUNDED_ACCOUNT, ref=ref)

    created(store, new_job(subject=subject("pending")))
    store.cancel(created(store, new_job(subject=subject("cancelled"))).id)
    failed = claimed(store, new_job(subject=subject("failed")))
    store.fail(term_of(failed), FAILURE, event_of)
    created(store, new_job(subject=replace(subject("assessment"), kind=SubjectKind.ASSESSMENT)))
    asked = [subject(ref) for ref in ("pending", "cancelled", "failed", "assessment", "unknown")]
    before, later = store.now() - HOUR, store.now() + HOUR
    assert store.simulated_since(asked, before, swept_since=before) == {subject("pending")}
    assert store.simulated_since(asked, later, swept_since=later) == set()
    assert store.simulated_since([], before, swept_since=before) == set()


def test_a_job_of_the_schedule_counts_as_simulated_from_a_time_of_its_own(store: JobStore) -> None:
    asked = replace(ACCOUNT, ref="asked"), replace(ACCOUNT, ref="swept")
    created(store, new_job(subject=asked[0]))
    created(store, new_job(subject=asked[1], trigger=Trigger.SCHEDULE))
    before, later = store.now() - HOUR, store.now() + HOUR
    assert store.simulated_since(asked, before, swept_since=later) == {asked[0]}
    assert store.simulated_since(asked, later, swept_since=before) == {asked[1]}
    assert store.simulated_since(asked, before, swept_since=before) == set(asked)


def test_an_event_is_owed_until_it_is_marked_sent(store: JobStore) -> None:
    first, second = owe(store), owe(store)
    assert {event.id for event in store.unsent(limit=10)} == {event_of(first).id, event_of(second).id}
    assert len(store.unsent(limit=1)) == 1
    for _ in range(2):
        store.mark_sent([event_of(first).id])
    store.mark_sent([])
    assert store.unsent(limit=10) == [event_of(second)]


def test_a_backlog_counts_what_waits_up_to_a_limit(store: JobStore) -> None:
    assert store.backlog(most=10) == Backlog(pending=0, due_for=NONE_DUE, unsent=0)
    for _ in range(3):
        owe(store)
    store.mark_sent([store.unsent(limit=1)[0].id])
    for _ in range(3):
        created(store)
    found = store.backlog(most=10)
    assert (found.pending, found.unsent) == (3, 2)
    limited = store.backlog(most=1)
    assert (limited.pending, limited.unsent) == (1, 1)


@pytest.mark.parametrize("trigger", Trigger)
def test_a_backlog_tells_for_how_long_the_job_longest_due_of_each_trigger_is(store: JobStore, trigger: Trigger) -> None:
    due(store, (trigger, 60), (trigger, 180), (trigger, -60))
    found = store.backlog(most=10).due_for
    assert 3 * HOUR <= found.pop(trigger) < 4 * HOUR
    assert found.keys() == set(Trigger) - {trigger}
    assert set(found.values()) == {timedelta(0)}


def test_a_job_put_off_is_pending_and_not_due(store: JobStore) -> None:
    store.retry(term_of(claimed(store)), FAILURE, delay=HOUR)
    assert store.backlog(most=10) == Backlog(pending=1, due_for=NONE_DUE, unsent=0)


def test_an_event_one_relay_holds_is_not_given_to_another(store: JobStore) -> None:
    job = owe(store)
    assert store.claim_unsent(limit=10, hold=HOUR) == [event_of(job)]
    assert store.claim_unsent(limit=10, hold=HOUR) == []
    assert store.unsent(limit=10) == [event_of(job)]


def test_an_event_whose_hold_is_over_is_given_out_again_under_the_same_id(store: JobStore) -> None:
    job = owe(store)
    assert store.claim_unsent(limit=10, hold=AT_ONCE) == store.claim_unsent(limit=10, hold=AT_ONCE) == [event_of(job)]


def test_a_later_event_of_a_key_waits_until_the_earlier_one_is_sent(store: JobStore) -> None:
    first, second, other = owe(store, key="k"), owe(store, key="k"), owe(store)
    given = store.claim_unsent(limit=10, hold=HOUR)
    assert {event.id for event in given} == {event_of(first).id, event_of(other).id}
    store.mark_sent([event_of(first).id])
    assert [event.id for event in store.claim_unsent(limit=10, hold=HOUR)] == [event_of(second).id]


def test_events_of_some_topics_may_be_left_where_they_are(store: JobStore) -> None:
    job = owe(store)
    assert store.claim_unsent(limit=10, hold=HOUR, except_topics=["other", event_of(job).topic]) == []
    assert store.claim_unsent(limit=10, hold=HOUR, except_topics=["other"]) == [event_of(job)]


def test_a_store_with_its_schema_answers_a_ping(store: JobStore) -> None:
    store.ping()
