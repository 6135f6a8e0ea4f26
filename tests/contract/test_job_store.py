"""What every job store promises, asked of the one in memory and of PostgreSQL (see `mcsvc/ports/job_store.py`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from mcsvc.domain.errors import IllegalMove, JobNotFound, LeaseLost, RequestIdReused
from mcsvc.domain.job import Failure, Job, Progress, State, Timing, term_of
from mcsvc.ports.job_store import JobFilter, JobStore, OutboxEvent, Snapshot
from tests.contract.job_steps import claimed, created, owe
from tests.job_samples import (
    AT_ONCE,
    FAILURE,
    LEASE,
    NO_LEASE,
    RESULT,
    SNAPSHOT,
    event_of,
    new_job,
    new_job_id,
    new_owner,
)

HOUR = timedelta(hours=1)
TIMING = Timing(queued_s=0.5, fetch_s=1.5, simulate_s=2.5)


def test_a_created_job_is_stored_whole_pending_and_due_now(store: JobStore) -> None:
    asked = new_job()
    job, made = store.create(asked)
    assert made
    assert job == replace(asked, create_time=job.create_time, run_after=job.create_time)
    assert abs(job.create_time - store.now()) < timedelta(minutes=1)
    assert store.get(job.id) == job


def test_an_inline_input_is_stored_with_its_job(store: JobStore) -> None:
    job, _ = store.create(replace(new_job(), input_digest=SNAPSHOT.digest), SNAPSHOT)
    assert store.snapshot(job.id) == SNAPSHOT
    assert store.get(job.id).input_digest == SNAPSHOT.digest


def test_a_used_dedup_key_with_the_same_body_returns_the_job_made_then(store: JobStore) -> None:
    first = created(store, new_job(dedup_key="request:1"))
    again, made = store.create(new_job(dedup_key="request:1"), SNAPSHOT)
    assert (again, made) == (first, False)
    assert store.snapshot(first.id) is None


def test_a_used_dedup_key_with_another_body_is_refused(store: JobStore) -> None:
    created(store, new_job(dedup_key="request:1"))
    with pytest.raises(RequestIdReused, match="use a new one"):
        store.create(new_job(dedup_key="request:1", body_digest="other"))


def test_an_unknown_job_is_not_found(store: JobStore) -> None:
    unknown = new_job_id()
    for ask in (store.get, store.snapshot, store.result, store.checkpoint, store.cancel):
        with pytest.raises(JobNotFound, match=str(unknown)):
            ask(unknown)


def test_a_claim_starts_an_attempt_under_a_new_term(store: JobStore) -> None:
    job = created(store)
    owner = new_owner()
    (mine,) = store.claim_next(owner, limit=10, lease=LEASE)
    assert (mine.id, mine.state, mine.owner, mine.attempt) == (job.id, State.RUNNING, owner, 1)
    assert mine.start_time is not None
    assert mine.start_time >= mine.create_time
    assert mine.timing.queued_s == pytest.approx((mine.start_time - mine.create_time).total_seconds(), abs=1e-3)
    assert store.get(job.id) == mine
    assert store.claim_next(new_owner(), limit=10, lease=LEASE) == []


def test_claims_take_the_longest_due_first_and_no_more_than_the_limit(store: JobStore) -> None:
    jobs = [created(store) for _ in range(5)]
    order = [job.id for job in sorted(jobs, key=lambda job: (job.run_after, job.id))]
    first = store.claim_next(new_owner(), limit=2, lease=LEASE)
    second = store.claim_next(new_owner(), limit=10, lease=LEASE)
    assert [job.id for job in first + second] == order


def test_a_retried_job_waits_until_it_is_due(store: JobStore) -> None:
    job = claimed(store)
    retried = store.retry(term_of(job), FAILURE, delay=HOUR)
    assert (retried.state, retried.owner, retried.attempt, retried.failure) == (State.PENDING, None, 1, FAILURE)
    assert retried.run_after >= store.now() + HOUR - timedelta(minutes=1)
    assert store.get(job.id) == retried
    assert store.claim_next(new_owner(), limit=10, lease=LEASE) == []


def test_a_retry_keeps_the_input_and_the_checkpoint_for_the_next_attempt(store: JobStore) -> None:
    job = claimed(store)
    store.save_snapshot(term_of(job), SNAPSHOT)
    store.save_checkpoint(term_of(job), b"half way", Progress(paths_done=5, paths_total=10))
    store.retry(term_of(job), FAILURE, delay=AT_ONCE)
    (again,) = store.claim_next(new_owner(), limit=1, lease=LEASE)
    assert (again.attempt, again.input_digest, again.progress) == (2, SNAPSHOT.digest, Progress())
    assert store.snapshot(job.id) == SNAPSHOT
    assert store.checkpoint(job.id) == b"half way"


def test_attempts_never_exceed_their_cap(store: JobStore) -> None:
    job = claimed(store, new_job(max_attempts=1))
    with pytest.raises(IllegalMove, match="no attempt of"):
        store.retry(term_of(job), FAILURE, delay=AT_ONCE)
    assert store.get(job.id) == job


def test_a_failure_in_any_words_is_stored(store: JobStore) -> None:
    failure = Failure(code="CORE_SERVICE_INVALID", message="said a\0b\ud800c\udfff and \u2028\U0001f4a5")
    failed = store.fail(term_of(claimed(store)), failure, event_of)
    assert store.get(failed.id) == failed
    assert failed.failure == failure


def test_a_job_put_off_waits_and_may_be_tried_once_more(store: JobStore) -> None:
    job = claimed(store, new_job(max_attempts=1))
    store.save_checkpoint(term_of(job), b"half way", Progress(paths_done=5, paths_total=10))
    put_off = store.put_off(term_of(job), FAILURE, delay=LEASE)
    assert (put_off.state, put_off.attempt, put_off.max_attempts) == (State.PENDING, 1, 2)
    assert (put_off.failure, put_off.owner, put_off.progress) == (FAILURE, None, Progress())
    assert store.get(job.id) == put_off
    assert put_off.run_after >= store.now() + LEASE / 2
    assert store.claim_next(new_owner(), limit=1, lease=LEASE) == []
    with pytest.raises(LeaseLost):
        store.put_off(term_of(job), FAILURE, delay=LEASE)
    assert store.checkpoint(job.id) == b"half way"


def test_reports_show_in_the_job_and_the_last_checkpoint_counts(store: JobStore) -> None:
    job = claimed(store)
    store.save_progress(term_of(job), Progress(paths_done=1, paths_total=10**10))
    assert store.get(job.id).progress == Progress(paths_done=1, paths_total=10**10)
    assert store.checkpoint(job.id) == b""
    store.save_checkpoint(term_of(job), b"one", Progress(paths_done=2, paths_total=10))
    store.save_checkpoint(term_of(job), b"two", Progress(paths_done=3, paths_total=10))
    assert store.checkpoint(job.id) == b"two"
    assert store.get(job.id).progress == Progress(paths_done=3, paths_total=10)


def test_success_stores_result_state_and_event_together(store: JobStore) -> None:
    job = claimed(store)
    done = store.succeed(term_of(job), RESULT, TIMING, event_of)
    assert (done.state, done.owner, done.result_digest, done.timing) == (State.SUCCEEDED, None, RESULT.digest, TIMING)
    assert done.finish_time is not None
    assert store.get(job.id) == done
    assert store.result(job.id) == RESULT
    assert store.unsent(limit=10) == [event_of(done)]


@pytest.mark.parametrize("end", ["succeed", "fail"])
def test_the_event_is_of_the_job_as_it_ended(store: JobStore, end: str) -> None:
    seen = list[Job]()

    def told(finished: Job) -> OutboxEvent:
        seen.append(finished)
        return event_of(finished)

    term = term_of(claimed(store))
    ended = store.succeed(term, RESULT, TIMING, told) if end == "succeed" else store.fail(term, FAILURE, told)
    assert seen == [ended] == [store.get(term.job_id)]
    assert ended.finish_time is not None


def test_a_success_after_a_failed_attempt_forgets_the_failure(store: JobStore) -> None:
    job = claimed(store)
    store.retry(term_of(job), FAILURE, delay=AT_ONCE)
    (again,) = store.claim_next(new_owner(), limit=1, lease=LEASE)
    assert again.failure == FAILURE
    store.succeed(term_of(again), RESULT, TIMING, event_of)
    assert store.get(job.id).failure is None


def test_failure_stores_state_and_event_together(store: JobStore) -> None:
    job = claimed(store)
    failed = store.fail(term_of(job), FAILURE, event_of)
    assert (failed.state, failed.failure) == (State.FAILED, FAILURE)
    assert store.get(job.id) == failed
    assert store.result(job.id) is None
    assert store.unsent(limit=10) == [event_of(job)]


@pytest.mark.parametrize("end", ["succeed", "fail", "cancel"])
def test_a_final_job_keeps_no_checkpoint(store: JobStore, end: str) -> None:
    job = claimed(store)
    store.save_checkpoint(term_of(job), b"half way", Progress(paths_done=5, paths_total=10))
    match end:
        case "succeed":
            store.succeed(term_of(job), RESULT, TIMING, event_of)
        case "fail":
            store.fail(term_of(job), FAILURE, event_of)
        case _:
            store.cancel(job.id)
    assert store.checkpoint(job.id) == b""


def test_a_job_handed_back_is_due_at_once_and_its_attempt_is_not_counted(store: JobStore) -> None:
    job = claimed(store, new_job(max_attempts=1))
    store.save_checkpoint(term_of(job), b"half way", Progress(paths_done=5, paths_total=10))
    back = store.hand_back(term_of(job))
    assert (back.state, back.owner, back.attempt) == (State.PENDING, None, 0)
    (again,) = store.claim_next(new_owner(), limit=1, lease=LEASE)
    assert (again.id, again.attempt) == (job.id, 1)
    assert store.checkpoint(job.id) == b"half way"


def test_a_pending_job_can_be_cancelled_for_good(store: JobStore) -> None:
    job = created(store)
    cancelled = store.cancel(job.id)
    assert cancelled.state is State.CANCELLED
    assert cancelled.finish_time is not None
    assert store.claim_next(new_owner(), limit=10, lease=LEASE) == []
    assert store.cancel(job.id) == cancelled
    assert store.unsent(limit=10) == []


@pytest.mark.parametrize("end", ["succeed", "fail"])
def test_a_finished_job_cannot_be_cancelled(store: JobStore, end: str) -> None:
    job = claimed(store)
    if end == "succeed":
        store.succeed(term_of(job), RESULT, TIMING, event_of)
    else:
        store.fail(term_of(job), FAILURE, event_of)
    with pytest.raises(IllegalMove, match="already"):
        store.cancel(job.id)


def assert_term_is_over(store: JobStore, job: Job) -> None:
    """No write under the term of `job` changes anything any more."""
    term, before, owed = term_of(job), store.get(job.id), store.unsent(limit=10)
    late_writes: list[Callable[[], object]] = [
        lambda: store.save_snapshot(term, Snapshot(data=b"late", digest="late")),
        lambda: store.save_progress(term, Progress(paths_done=9, paths_total=9)),
        lambda: store.save_checkpoint(term, b"late", Progress(paths_done=9, paths_total=9)),
        lambda: store.succeed(term, RESULT, TIMING, event_of),
        lambda: store.retry(term, FAILURE, delay=AT_ONCE),
        lambda: store.fail(term, FAILURE, event_of),
        lambda: store.hand_back(term),
    ]
    for write in late_writes:
        with pytest.raises(LeaseLost):
            write()
    assert store.renew([term], lease=LEASE) == set()
    assert (store.get(job.id), store.unsent(limit=10)) == (before, owed)
    assert store.checkpoint(job.id) != b"late"
    assert store.snapshot(job.id) != Snapshot(data=b"late", digest="late")


def test_a_worker_cannot_write_to_a_cancelled_job(store: JobStore) -> None:
    job = claimed(store)
    store.cancel(job.id)
    assert_term_is_over(store, job)


def test_late_worker_cannot_complete_a_rescued_job(store: JobStore) -> None:
    job = claimed(store, lease=NO_LEASE)
    (seen,) = store.expired(limit=10)
    store.retry(term_of(seen), FAILURE, delay=AT_ONCE)
    assert_term_is_over(store, job)
    (again,) = store.claim_next(new_owner(), limit=1, lease=LEASE)
    assert_term_is_over(store, job)
    assert store.succeed(term_of(again), RESULT, TIMING, event_of).state is State.SUCCEEDED


def test_a_finished_job_takes_no_further_write_of_its_own_worker(store: JobStore) -> None:
    job = claimed(store)
    store.succeed(term_of(job), RESULT, TIMING, event_of)
    assert_term_is_over(store, job)


def test_another_worker_cannot_write_under_a_term_that_is_not_its_own(store: JobStore) -> None:
    job = claimed(store)
    with pytest.raises(LeaseLost):
        store.save_progress(replace(term_of(job), owner=new_owner()), Progress())
    with pytest.raises(LeaseLost):
        store.save_progress(replace(term_of(job), attempt=2), Progress())


def test_a_lease_that_has_run_out_shows_with_the_term_it_ran_under(store: JobStore) -> None:
    job = claimed(store, lease=NO_LEASE)
    claimed(store, lease=LEASE)
    created(store)
    assert store.expired(limit=10) == [job]
    assert store.expired(limit=0) == []


def test_a_renewed_lease_is_not_over(store: JobStore) -> None:
    job = claimed(store, lease=NO_LEASE)
    assert store.renew([term_of(job)], lease=LEASE) == {term_of(job)}
    assert store.expired(limit=10) == []


def test_renewal_returns_only_the_terms_still_held(store: JobStore) -> None:
    owner = new_owner()
    held, cancelled, finished = (created(store) for _ in range(3))
    terms = {job.id: term_of(job) for job in store.claim_next(owner, limit=3, lease=LEASE)}
    store.cancel(cancelled.id)
    store.succeed(terms[finished.id], RESULT, TIMING, event_of)
    assert store.renew(list(terms.values()), lease=LEASE) == {terms[held.id]}
    assert store.renew([], lease=LEASE) == set()


def test_the_same_worker_cannot_renew_its_earlier_attempt(store: JobStore) -> None:
    owner = new_owner()
    created(store)
    (first,) = store.claim_next(owner, limit=1, lease=LEASE)
    store.retry(term_of(first), FAILURE, delay=AT_ONCE)
    (second,) = store.claim_next(owner, limit=1, lease=LEASE)
    assert store.renew([term_of(first)], lease=LEASE) == set()
    assert store.renew([term_of(second)], lease=LEASE) == {term_of(second)}


def test_a_worker_whose_lease_ran_out_may_still_finish_before_the_rescue(store: JobStore) -> None:
    job = claimed(store, lease=NO_LEASE)
    (seen,) = store.expired(limit=10)
    store.succeed(term_of(job), RESULT, TIMING, event_of)
    with pytest.raises(LeaseLost):
        store.retry(term_of(seen), FAILURE, delay=AT_ONCE)


def test_final_jobs_are_forgotten_with_all_that_is_theirs_once_their_event_is_sent(store: JobStore) -> None:
    done, owing, running, pending = claimed(store), claimed(store), claimed(store), created(store)
    store.save_snapshot(term_of(done), SNAPSHOT)
    for job in (done, owing):
        store.succeed(term_of(job), RESULT, TIMING, event_of)
    store.mark_sent([event_of(done).id])
    assert store.forget_jobs(older_than=timedelta(hours=1), limit=10) == 0
    assert store.forget_jobs(older_than=AT_ONCE, limit=10) == 1
    with pytest.raises(JobNotFound):
        store.get(done.id)
    with pytest.raises(JobNotFound):
        store.result(done.id)
    assert {store.get(each.id).id for each in (owing, running, pending)} == {owing.id, running.id, pending.id}


def test_no_more_is_forgotten_at_a_time_than_is_asked(store: JobStore) -> None:
    for _ in range(3):
        store.cancel(created(store).id)
    forgotten = [store.forget_jobs(older_than=AT_ONCE, limit=2) for _ in range(3)]
    assert forgotten == [2, 1, 0]
    assert store.find(JobFilter(), limit=10) == []


def test_events_are_forgotten_some_time_after_they_were_sent(store: JobStore) -> None:
    sent, unsent = owe(store), owe(store)
    store.mark_sent([event_of(sent).id])
    assert store.forget_sent(older_than=timedelta(hours=1), limit=10) == 0
    assert store.forget_sent(older_than=AT_ONCE, limit=10) == 1
    assert store.forget_sent(older_than=AT_ONCE, limit=10) == 0
    assert store.unsent(limit=10) == [event_of(unsent)]
