"""A job store against a model of it, under random histories of workers that stall, die, wake late and shut down.

What must hold after every step: a running job has one owner; attempts never exceed their cap; a finished job owes
exactly one event, any other none; what is cancelled stays so. No write succeeds under a term that is over. And a claim
takes the jobs whose turn it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from mcsvc.app.rescue_jobs import RescueJobs
from mcsvc.app.run_policy import RunPolicy
from mcsvc.domain.errors import IllegalMove, LeaseLost
from mcsvc.domain.job import JobId, OwnerId, Progress, State, Term, Timing, Trigger, term_of
from mcsvc.ports.job_store import JobFilter, JobStore
from tests.job_samples import AT_ONCE, FAILURE, LEASE, NO_LEASE, RESULT, SNAPSHOT, event_of, new_job, new_owner

MOST_JOBS = 6
FINISHED = {State.SUCCEEDED, State.FAILED}
POLICY = RunPolicy(backoff_base=timedelta(0))


@dataclass(slots=True, kw_only=True)
class ModelJob:
    """What the store should say of a job."""

    max_attempts: int
    state: State = State.PENDING
    attempt: int = 0
    owner: OwnerId | None = None
    stalled: bool = False


class JobStoreMachine(RuleBasedStateMachine):
    """Give it a way to get an empty store."""

    terms = Bundle("terms")

    def __init__(self, empty_store: Callable[[], JobStore]) -> None:
        super().__init__()
        self._empty_store = empty_store

    @initialize()
    def begin(self) -> None:
        self.store = self._empty_store()
        self.jobs: dict[JobId, ModelJob] = {}
        self.owners = [new_owner(), new_owner()]
        self.sent: list[str] = []

    @precondition(lambda self: len(self.jobs) < MOST_JOBS)
    @rule(max_attempts=st.integers(1, 3), trigger=st.sampled_from(Trigger))
    def create(self, max_attempts: int, trigger: Trigger) -> None:
        job, made = self.store.create(new_job(job_id=self._next_id(), max_attempts=max_attempts, trigger=trigger))
        assert made
        self.jobs[job.id] = ModelJob(max_attempts=max_attempts)

    @rule(target=terms, worker=st.integers(0, 1), limit=st.integers(1, 3), by_age=st.booleans())
    def claim(self, *, worker: int, limit: int, by_age: bool):  # type: ignore[no-untyped-def]  # MultipleResults is not public
        owner = self.owners[worker]
        pending = self.store.find(JobFilter(state=State.PENDING), limit=100)
        turns = sorted(pending, key=lambda job: (0 if by_age else job.trigger.rank, job.run_after, job.id))
        claim = self.store.claim_longest_due if by_age else self.store.claim_next
        claimed = claim(owner, limit=limit, lease=LEASE)
        assert [job.id for job in claimed] == [job.id for job in turns[:limit]]
        for job in claimed:
            model = self.jobs[job.id]
            assert model.state is State.PENDING
            model.state, model.owner, model.attempt, model.stalled = State.RUNNING, owner, model.attempt + 1, False
        return multiple(*(term_of(job) for job in claimed))

    @rule(term=terms)
    def report(self, term: Term) -> None:
        self._write(term, lambda: self.store.save_snapshot(term, SNAPSHOT))
        self._write(term, lambda: self.store.save_progress(term, Progress(paths_done=1, paths_total=2)))
        self._write(term, lambda: self.store.save_checkpoint(term, b"c", Progress(paths_done=2, paths_total=2)))

    @rule(term=terms)
    def succeed(self, term: Term) -> None:
        if self._write(term, lambda: self.store.succeed(term, RESULT, Timing(), event_of)):
            self._end(term, State.SUCCEEDED)

    @rule(term=terms)
    def fail(self, term: Term) -> None:
        if self._write(term, lambda: self.store.fail(term, FAILURE, event_of)):
            self._end(term, State.FAILED)

    @rule(term=terms)
    def retry(self, term: Term) -> None:
        model = self.jobs[term.job_id]
        if self._held(term) and model.attempt == model.max_attempts:
            with pytest.raises(IllegalMove):
                self.store.retry(term, FAILURE, delay=AT_ONCE)
        elif self._write(term, lambda: self.store.retry(term, FAILURE, delay=AT_ONCE)):
            self._end(term, State.PENDING)

    @rule(term=terms)
    def put_off(self, term: Term) -> None:
        if self._write(term, lambda: self.store.put_off(term, FAILURE, delay=AT_ONCE)):
            self._end(term, State.PENDING)
            self.jobs[term.job_id].max_attempts += 1

    @rule(term=terms)
    def hand_back(self, term: Term) -> None:
        if self._write(term, lambda: self.store.hand_back(term)):
            self._end(term, State.PENDING)
            self.jobs[term.job_id].attempt -= 1
            self.owners = [new_owner() if owner == term.owner else owner for owner in self.owners]

    @rule(term=terms)
    def stall(self, term: Term) -> None:
        assert self.store.renew([term], lease=NO_LEASE) == ({term} if self._held(term) else set())
        if self._held(term):
            self.jobs[term.job_id].stalled = True

    @rule(term=terms)
    def renew(self, term: Term) -> None:
        assert self.store.renew([term], lease=LEASE) == ({term} if self._held(term) else set())
        if self._held(term):
            self.jobs[term.job_id].stalled = False

    @rule()
    def rescue(self) -> None:
        stalled = [job for job in self.jobs.values() if job.stalled]
        assert RescueJobs(store=self.store, policy=POLICY)() == len(stalled)
        for job in stalled:
            job.state = State.PENDING if job.attempt < job.max_attempts else State.FAILED
            job.owner, job.stalled = None, False

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(list(self.jobs)))
        model = self.jobs[job_id]
        if model.state in FINISHED:
            with pytest.raises(IllegalMove):
                self.store.cancel(job_id)
        else:
            self.store.cancel(job_id)
            model.state, model.owner, model.stalled = State.CANCELLED, None, False

    @rule(limit=st.integers(1, 3), hold=st.sampled_from([AT_ONCE, LEASE]), acknowledged=st.booleans())
    def relay(self, *, limit: int, hold: timedelta, acknowledged: bool) -> None:
        events = self.store.claim_unsent(limit=limit, hold=hold)
        if acknowledged:
            self.store.mark_sent([event.id for event in events])
            self.sent += [event.id for event in events]

    @invariant()
    def the_store_agrees_with_the_model(self) -> None:
        stored = {job.id: job for job in self.store.find(JobFilter(), limit=100)}
        assert stored.keys() == self.jobs.keys()
        for job_id, model in self.jobs.items():
            job = stored[job_id]
            assert (job.state, job.attempt, job.owner) == (model.state, model.attempt, model.owner)
            assert (job.owner is not None) == (job.state is State.RUNNING)
            assert job.attempt <= job.max_attempts == model.max_attempts

    @invariant()
    def each_finished_job_owes_or_has_sent_exactly_one_event(self) -> None:
        keys = [event.key for event in self.store.unsent(limit=100)]
        finished = [str(job_id) for job_id, model in self.jobs.items() if model.state in FINISHED]
        assert len(self.sent) == len(set(self.sent))
        assert len(keys) + len(self.sent) == len(finished)
        assert Counter(keys) <= Counter(finished)

    def _next_id(self) -> JobId:
        return JobId(UUID(int=len(self.jobs) + 1))  # not random: ids decide ties, and histories must repeat

    def _held(self, term: Term) -> bool:
        model = self.jobs[term.job_id]
        return model.state is State.RUNNING and (model.owner, model.attempt) == (term.owner, term.attempt)

    def _write(self, term: Term, write: Callable[[], object]) -> bool:
        if self._held(term):
            write()
            return True
        with pytest.raises(LeaseLost):
            write()
        return False

    def _end(self, term: Term, state: State) -> None:
        model = self.jobs[term.job_id]
        model.state, model.owner, model.stalled = state, None, False
