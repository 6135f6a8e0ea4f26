"""The durable home of the jobs and of the events they owe: the single source of truth.

All times that decide anything (leases, due times) are the store's own clock's. Every write of a worker names its
`Term`; when the term is over the write changes nothing and raises LeaseLost. Every method raises StoreUnavailable when
the store cannot be reached; nothing was then changed, or the whole change was.

A job of a newer version of the service may hold what this one cannot read. It is left to that version: it is neither
claimed, nor found expired, nor listed. Whoever asks for it by its id gets JobUnreadable.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from mcsvc.domain.job import Failure, Job, JobId, OwnerId, Progress, State, Term, Timing, Trigger
from mcsvc.domain.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is simulated: a serialised `montecarlo.engine.v1.SimulateInput` (deterministic) and its SHA-256, in hex."""

    data: bytes
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResult:
    """What came of it: a serialised `montecarlo.v1.SimulationResult`; its SHA-256 without elapsed_s, in hex."""

    data: bytes
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEvent:
    """An event owed to Kafka. `id` is stable: sending it twice is sending the same event twice."""

    id: str
    topic: str
    key: str
    payload: bytes
    headers: dict[str, str]


EventOf = Callable[[Job], OutboxEvent]
"""The event that a job owes once it is final, as it is then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits: `pending` jobs and `unsent` events. `due_for` is for how long the job longest due of each trigger has
    been so, 0 if none is.
    """

    pending: int
    due_for: dict[Trigger, timedelta]
    unsent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to list; None fields do not filter. Times are create times; `after`/`before` are exclusive ends."""

    state: State | None = None
    assessment_id: str | None = None
    funded_account_id: str | None = None
    trigger: Trigger | None = None
    created_from: datetime | None = None
    created_after: datetime | None = None
    created_until: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The last job of the page before: the next page holds strictly older (create_time, id)."""

    create_time: datetime
    id: JobId


class JobStore(Protocol):
    """See the module."""

    def create(self, job: Job, snapshot: Snapshot | None = None) -> tuple[Job, bool]:
        """Store a new job, with its snapshot if it came inline. Returns (job as stored, True).

        The job is PENDING and due at once; create time and due time are the store's own.

        If the dedup key exists: (the job made then, False) when the body digests agree, else raises RequestIdReused.
        """
        ...

    def get(self, job_id: JobId) -> Job:
        """Raises JobNotFound, JobUnreadable."""
        ...

    def snapshot(self, job_id: JobId) -> Snapshot | None:
        """The stored input; None if it is not fetched yet. Raises JobNotFound."""
        ...

    def result(self, job_id: JobId) -> StoredResult | None:
        """The stored result; None unless SUCCEEDED. Raises JobNotFound."""
        ...

    def checkpoint(self, job_id: JobId) -> bytes:
        """The engine's last checkpoint; empty if there is none or the job is final. Raises JobNotFound."""
        ...

    def find(self, where: JobFilter, *, limit: int, after: Cursor | None = None) -> list[Job]:
        """Jobs by create time, then id, both descending."""
        ...

    def claim_next(self, owner: OwnerId, *, limit: int, lease: timedelta) -> list[Job]:
        """Claim up to `limit` due PENDING jobs, those of a lower `Trigger.rank` first, of one rank the longest due.

        Each comes back RUNNING under a new term. An owner that has handed a job back must not claim again: its terms
        would no longer be unique.
        """
        ...

    def claim_longest_due(self, owner: OwnerId, *, limit: int, lease: timedelta) -> list[Job]:
        """The same, longest due first, whatever made them: who claims so now and then lets no job wait for ever."""
        ...

    def renew(self, terms: Sequence[Term], *, lease: timedelta) -> set[Term]:
        """Extend the leases of these terms in one statement. Returns the terms still held; the others are over."""
        ...

    def save_snapshot(self, term: Term, snapshot: Snapshot) -> None:
        """Store the fetched input. Raises LeaseLost."""
        ...

    def save_progress(self, term: Term, progress: Progress) -> None:
        """Raises LeaseLost."""
        ...

    def save_checkpoint(self, term: Term, data: bytes, progress: Progress) -> None:
        """Raises LeaseLost."""
        ...

    def succeed(self, term: Term, result: StoredResult, timing: Timing, event_of: EventOf) -> Job:
        """Result, state and event in one transaction. Raises LeaseLost."""
        ...

    def retry(self, term: Term, failure: Failure, *, delay: timedelta) -> Job:
        """Back to PENDING, due after `delay`. Raises LeaseLost, and IllegalMove if no attempts are left."""
        ...

    def put_off(self, term: Term, failure: Failure, *, delay: timedelta) -> Job:
        """Back to PENDING, due after `delay`, with one more attempt granted. Raises LeaseLost."""
        ...

    def fail(self, term: Term, failure: Failure, event_of: EventOf) -> Job:
        """State and event in one transaction. Raises LeaseLost."""
        ...

    def hand_back(self, term: Term) -> Job:
        """Back to PENDING at once, the attempt not counted, the checkpoint kept. Raises LeaseLost."""
        ...

    def cancel(self, job_id: JobId) -> Job:
        """PENDING or RUNNING to CANCELLED; idempotent. Raises JobNotFound, JobUnreadable, IllegalMove."""
        ...

    def expired(self, *, limit: int) -> list[Job]:
        """RUNNING jobs whose lease is over, with the term they ran under: a worker died or stalls."""
        ...

    def simulated_since(self, subjects: Sequence[Subject], since: datetime, *, swept_since: datetime) -> set[Subject]:
        """Those of the subjects that have a job, neither FAILED nor CANCELLED, created at or after `since`, or at or
        after `swept_since` if the schedule made it.
        """
        ...

    def unsent(self, *, limit: int) -> list[OutboxEvent]:
        """Events not yet known to be sent, oldest first: for looking, not for sending."""
        ...

    def backlog(self, *, most: int) -> Backlog:
        """What waits. Of each kind at most `most` are counted."""
        ...

    def claim_unsent(self, *, limit: int, hold: timedelta, except_topics: Collection[str] = ()) -> list[OutboxEvent]:
        """Unsent events for one relay to send, oldest first, held from other relays until `hold` is over.

        At most one a key, and that key's oldest: a later event waits until the earlier one is marked sent.
        """
        ...

    def mark_sent(self, event_ids: Sequence[str]) -> None:
        """These events are with the broker. Idempotent."""
        ...

    def forget_jobs(self, *, older_than: timedelta, limit: int) -> int:
        """Delete final jobs that ended so long ago, with all that is theirs; none of which an event is still unsent.

        Returns how many, at most `limit`.
        """
        ...

    def forget_sent(self, *, older_than: timedelta, limit: int) -> int:
        """Delete events that were sent so long ago. Returns how many, at most `limit`."""
        ...

    def now(self) -> datetime:
        """The store's own time, UTC."""
        ...

    def ping(self) -> None:
        """Raises StoreUnavailable unless the store answers, may be written, and has the schema this version needs."""
        ...
