"""A job store in dictionaries: the plain reading of the port, which the PostgreSQL store must agree with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from threading import RLock
from typing import final

from mcsvc.adapters.memory.outbox import MemoryOutbox
from mcsvc.domain import job as moves
from mcsvc.domain.errors import JobNotFound, LeaseLost, StoreUnavailable
from mcsvc.domain.job import Failure, Job, JobId, OwnerId, Progress, State, Term, Timing, Trigger
from mcsvc.domain.subject import Subject, SubjectKind
from mcsvc.ports.clock import Clock
from mcsvc.ports.job_store import Backlog, Cursor, EventOf, JobFilter, OutboxEvent, Snapshot, StoredResult


@final
class MemoryJobStore:
    """The `JobStore` of unit tests; threads may share it. `faults` are raised by the next calls, one each;
    None lets a call pass."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = RLock()
        self._jobs: dict[JobId, Job] = {}
        self._leases: dict[JobId, datetime] = {}
        self._snapshots: dict[JobId, Snapshot] = {}
        self._results: dict[JobId, StoredResult] = {}
        self._checkpoints: dict[JobId, bytes] = {}
        self._outbox = MemoryOutbox()
        self.faults: list[StoreUnavailable | None] = []

    def create(self, job: Job, snapshot: Snapshot | None = None) -> tuple[Job, bool]:
        """See the port."""
        with self._call() as now:
            made = next((other for other in self._jobs.values() if other.dedup_key == job.dedup_key), None)
            if made is None:
                self._jobs[job.id] = made = replace(job, create_time=now, run_after=now)
                if snapshot is not None:
                    self._snapshots[job.id] = snapshot
                return made, True
        if made.body_digest != job.body_digest:
            raise moves.reused(job)
        return made, False

    def get(self, job_id: JobId) -> Job:
        """See the port."""
        with self._call():
            return self._get(job_id)

    def snapshot(self, job_id: JobId) -> Snapshot | None:
        """See the port."""
        with self._call():
            return self._snapshots.get(self._get(job_id).id)

    def result(self, job_id: JobId) -> StoredResult | None:
        """See the port."""
        with self._call():
            return self._results.get(self._get(job_id).id)

    def checkpoint(self, job_id: JobId) -> bytes:
        """See the port."""
        with self._call():
            return self._checkpoints.get(self._get(job_id).id, b"")

    def find(self, where: JobFilter, *, limit: int, after: Cursor | None = None) -> list[Job]:
        """See the port."""
        with self._call():
            found = [job for job in self._jobs.values() if _matches(job, where)]
        found.sort(key=lambda job: (job.create_time, job.id), reverse=True)
        if after is not None:
            found = [job for job in found if (job.create_time, job.id) < (after.create_time, after.id)]
        return found[:limit]

    def claim_next(self, owner: OwnerId, *, limit: int, lease: timedelta) -> list[Job]:
        """See the port."""
        with self._call() as now:
            ranked = sorted(self._due(now), key=lambda job: job.trigger.rank)
            return [self._begin_term(job, owner, now, lease) for job in ranked[:limit]]

    def claim_longest_due(self, owner: OwnerId, *, limit: int, lease: timedelta) -> list[Job]:
        """See the port."""
        with self._call() as now:
            return [self._begin_term(job, owner, now, lease) for job in self._due(now)[:limit]]

    def renew(self, terms: Sequence[Term], *, lease: timedelta) -> set[Term]:
        """See the port."""
        with self._call() as now:
            held = {term for term in terms if self._holds(term)}
            self._leases.update({term.job_id: now + lease for term in held})
            return held

    def save_snapshot(self, term: Term, snapshot: Snapshot) -> None:
        """See the port."""
        with self._call():
            self._jobs[term.job_id] = replace(self._held(term), input_digest=snapshot.digest)
            self._snapshots[term.job_id] = snapshot

    def save_progress(self, term: Term, progress: Progress) -> None:
        """See the port."""
        with self._call():
            self._jobs[term.job_id] = replace(self._held(term), progress=progress)

    def save_checkpoint(self, term: Term, data: bytes, progress: Progress) -> None:
        """See the port."""
        with self._call():
            self._jobs[term.job_id] = replace(self._held(term), progress=progress)
            self._checkpoints[term.job_id] = data

    def succeed(self, term: Term, result: StoredResult, timing: Timing, event_of: EventOf) -> Job:
        """See the port."""
        with self._call() as now:
            job = moves.succeed(self._held(term), result_digest=result.digest, timing=timing, now=now)
            self._outbox.add(event_of(job))
            self._results[job.id] = result
            return self._end_term(job)

    def retry(self, term: Term, failure: Failure, *, delay: timedelta) -> Job:
        """See the port."""
        with self._call() as now:
            return self._end_term(moves.retry(self._held(term), failure, run_after=now + delay))

    def put_off(self, term: Term, failure: Failure, *, delay: timedelta) -> Job:
        """See the port."""
        with self._call() as now:
            return self._end_term(moves.put_off(self._held(term), failure, run_after=now + delay))

    def fail(self, term: Term, failure: Failure, event_of: EventOf) -> Job:
        """See the port."""
        with self._call() as now:
            job = moves.fail(self._held(term), failure, now=now)
            self._outbox.add(event_of(job))
            return self._end_term(job)

    def hand_back(self, term: Term) -> Job:
        """See the port."""
        with self._call() as now:
            return self._end_term(moves.hand_back(self._held(term), now=now))

    def cancel(self, job_id: JobId) -> Job:
        """See the port."""
        with self._call() as now:
            return self._end_term(moves.cancel(self._get(job_id), now=now))

    def expired(self, *, limit: int) -> list[Job]:
        """See the port."""
        with self._call() as now:
            over = sorted((end, job_id) for job_id, end in self._leases.items() if end <= now)
            return [self._jobs[job_id] for _, job_id in over[:limit]]

    def simulated_since(self, subjects: Sequence[Subject], since: datetime, *, swept_since: datetime) -> set[Subject]:
        """See the port."""
        lost = {State.FAILED, State.CANCELLED}

        def recent(job: Job) -> bool:
            return job.create_time >= (swept_since if job.trigger is Trigger.SCHEDULE else since)

        with self._call():
            found = {job.subject for job in self._jobs.values() if recent(job) and job.state not in lost}
            return found & set(subjects)

    def unsent(self, *, limit: int) -> list[OutboxEvent]:
        """See the port."""
        with self._call():
            return self._outbox.unsent(limit=limit)

    def backlog(self, *, most: int) -> Backlog:
        """See the port."""
        with self._call() as now:
            pending = [job for job in self._jobs.values() if job.state is State.PENDING]
            return Backlog(
                pending=min(len(pending), most),
                due_for={trigger: _longest(now, pending, trigger) for trigger in Trigger},
                unsent=len(self._outbox.unsent(limit=most)),
            )

    def claim_unsent(self, *, limit: int, hold: timedelta, except_topics: Collection[str] = ()) -> list[OutboxEvent]:
        """See the port."""
        with self._call() as now:
            return self._outbox.claim(limit=limit, now=now, hold=hold, except_topics=except_topics)

    def mark_sent(self, event_ids: Sequence[str]) -> None:
        """See the port."""
        with self._call() as now:
            self._outbox.mark_sent(event_ids, now=now)

    def forget_jobs(self, *, older_than: timedelta, limit: int) -> int:
        """See the port."""
        with self._call() as now:
            owing = {event.key for event in self._outbox.unsent(limit=len(self._jobs))}
            old = [
                job.id
                for job in sorted(self._jobs.values(), key=lambda job: job.create_time)
                if job.finish_time is not None and job.finish_time <= now - older_than and str(job.id) not in owing
            ][:limit]
            for job_id in old:
                for kept in (self._jobs, self._snapshots, self._results):
                    kept.pop(job_id, None)
            return len(old)

    def forget_sent(self, *, older_than: timedelta, limit: int) -> int:
        """See the port."""
        with self._call() as now:
            return self._outbox.forget_sent(before=now - older_than, limit=limit)

    def now(self) -> datetime:
        """See the port."""
        with self._call() as now:
            return now

    def ping(self) -> None:
        """See the port."""
        with self._call():
            return

    @contextmanager
    def _call(self) -> Iterator[datetime]:
        with self._lock:
            fault = self.faults.pop(0) if self.faults else None
            if fault is not None:
                raise fault
            yield self._clock.now()

    def _due(self, now: datetime) -> list[Job]:
        """Longest due first."""
        due = [job for job in self._jobs.values() if job.state is State.PENDING and job.run_after <= now]
        return sorted(due, key=lambda job: (job.run_after, job.id))

    def _begin_term(self, job: Job, owner: OwnerId, now: datetime, lease: timedelta) -> Job:
        self._jobs[job.id] = claimed = moves.claim(job, owner, now)
        self._leases[job.id] = now + lease
        return claimed

    def _get(self, job_id: JobId) -> Job:
        if job_id not in self._jobs:
            raise JobNotFound(f"No job {job_id}; check the id.")
        return self._jobs[job_id]

    def _holds(self, term: Term) -> bool:
        job = self._jobs.get(term.job_id)
        return job is not None and job.state is State.RUNNING and moves.term_of(job) == term

    def _held(self, term: Term) -> Job:
        if not self._holds(term):
            raise LeaseLost(f"Attempt {term.attempt} of job {term.job_id} is over; drop the run.")
        return self._jobs[term.job_id]

    def _end_term(self, job: Job) -> Job:
        self._jobs[job.id] = job
        self._leases.pop(job.id, None)
        if job.state.final:
            self._checkpoints.pop(job.id, None)
        return job


def _matches(job: Job, where: JobFilter) -> bool:
    asked: list[tuple[object, Callable[[], bool]]] = [
        (where.state, lambda: job.state is where.state),
        (where.assessment_id, lambda: job.subject == _subject(SubjectKind.ASSESSMENT, where.assessment_id)),
        (where.funded_account_id, lambda: job.subject == _subject(SubjectKind.FUNDED_ACCOUNT, where.funded_account_id)),
        (where.trigger, lambda: job.trigger is where.trigger),
        (where.created_from, lambda: where.created_from is not None and job.create_time >= where.created_from),
        (where.created_after, lambda: where.created_after is not None and job.create_time > where.created_after),
        (where.created_until, lambda: where.created_until is not None and job.create_time <= where.created_until),
        (where.created_before, lambda: where.created_before is not None and job.create_time < where.created_before),
    ]
    return all(test() for value, test in asked if value is not None)


def _longest(now: datetime, pending: list[Job], trigger: Trigger) -> timedelta:
    return now - min((job.run_after for job in pending if job.trigger is trigger and job.run_after <= now), default=now)


def _subject(kind: SubjectKind, ref: str | None) -> Subject:
    return Subject(kind=kind, ref=ref or "")
