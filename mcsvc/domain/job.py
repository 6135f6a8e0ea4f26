"""The life of one job: its states and the only legal moves between them.

`docs/jobs.md` draws the states and lists the failure cases. A job store persists what these functions return and adds
nothing of its own: it only checks that the mover still holds the term (owner and attempt) it claims to hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import NewType
from uuid import UUID

from mcsvc.domain.errors import IllegalMove, RequestIdReused
from mcsvc.domain.subject import Settings, Subject

MOST_CHARACTERS = 4_000

JobId = NewType("JobId", UUID)
OwnerId = NewType("OwnerId", UUID)


class State(Enum):
    """Where in its life a job is. The values are stored."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """True if nothing can move the job any more."""
        return self in {State.SUCCEEDED, State.FAILED, State.CANCELLED}


class Trigger(Enum):
    """What made a job: who is waited for most comes first. The values are stored."""

    API = "api"
    ASSESSMENT_COMPLETED = "assessment_completed"
    SCHEDULE = "schedule"

    @property
    def rank(self) -> int:
        """Jobs of a lower rank go first: a caller waits for the answer, a sweep has all night."""
        return list(Trigger).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt failed: a stable code in UPPER_SNAKE_CASE, and what happened with what to do about it.

    The message may quote others. Characters that neither a database nor UTF-8 takes are kept as their escapes, and of a
    message of more than MOST_CHARACTERS characters only the beginning and the end.
    """

    code: str
    message: str

    def __post_init__(self) -> None:
        storable = self.message.encode("utf-8", "backslashreplace").decode().replace("\0", r"\x00")
        object.__setattr__(self, "message", _shortened(storable))


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a running job is. `paths_total` is 0 while the inputs are being fetched."""

    paths_done: int = 0
    paths_total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Where the time of a job went, in seconds; 0 for what has not happened yet."""

    queued_s: float = 0.0
    fetch_s: float = 0.0
    simulate_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """The right to write a running job: lost when the lease expires and another attempt begins."""

    job_id: JobId
    owner: OwnerId
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One simulation job, without the bulk of its input and result.

    `dedup_key` is unique over all jobs and names what was asked: `request:…`, `event:source:id`, `schedule:…`.
    `body_digest` is the digest of the whole request, so that a reused request id with another body is noticed.
    `attempt` counts the attempts started, of `max_attempts`, which grows with each that is put off. `run_after` is the
    earliest time of the next attempt while PENDING.
    """

    id: JobId
    subject: Subject
    settings: Settings
    trigger: Trigger
    dedup_key: str
    body_digest: str
    create_time: datetime
    run_after: datetime
    max_attempts: int
    state: State = State.PENDING
    attempt: int = 0
    owner: OwnerId | None = None
    request_id: str = ""
    trace_parent: str = ""
    start_time: datetime | None = None
    finish_time: datetime | None = None
    progress: Progress = field(default_factory=Progress)
    failure: Failure | None = None
    input_digest: str = ""
    result_digest: str = ""
    timing: Timing = field(default_factory=Timing)


def claim(job: Job, owner: OwnerId, now: datetime) -> Job:
    """PENDING → RUNNING: a worker starts the next attempt."""
    _require(job, State.PENDING, move="claim")
    _require_attempts_left(job, move="claim")
    queued = (now - job.create_time).total_seconds()
    return replace(
        job,
        state=State.RUNNING,
        owner=owner,
        attempt=job.attempt + 1,
        start_time=now,
        progress=Progress(),
        timing=replace(job.timing, queued_s=max(queued, 0.0)),
    )


def succeed(job: Job, *, result_digest: str, timing: Timing, now: datetime) -> Job:
    """RUNNING → SUCCEEDED: the result is there."""
    _require(job, State.RUNNING, move="succeed")
    return replace(
        job,
        state=State.SUCCEEDED,
        owner=None,
        finish_time=now,
        result_digest=result_digest,
        timing=timing,
        failure=None,
    )


def retry(job: Job, failure: Failure, *, run_after: datetime) -> Job:
    """RUNNING → PENDING: the attempt failed and another may succeed."""
    _require(job, State.RUNNING, move="retry")
    _require_attempts_left(job, move="retry")
    return replace(job, state=State.PENDING, owner=None, failure=failure, run_after=run_after, progress=Progress())


def put_off(job: Job, failure: Failure, *, run_after: datetime) -> Job:
    """RUNNING → PENDING: what the attempt needs was away. A further one is granted, so that none is lost to that.

    The attempt still counts as started: its number is part of its term, and no two terms may be equal.
    """
    _require(job, State.RUNNING, move="put off")
    granted = job.max_attempts + 1
    return retry(replace(job, max_attempts=granted), failure, run_after=run_after)


def fail(job: Job, failure: Failure, *, now: datetime) -> Job:
    """RUNNING → FAILED: given up."""
    _require(job, State.RUNNING, move="fail")
    return replace(job, state=State.FAILED, owner=None, failure=failure, finish_time=now)


def hand_back(job: Job, *, now: datetime) -> Job:
    """RUNNING → PENDING without counting the attempt: the worker is shutting down."""
    _require(job, State.RUNNING, move="hand back")
    return replace(job, state=State.PENDING, owner=None, attempt=job.attempt - 1, run_after=now, progress=Progress())


def cancel(job: Job, *, now: datetime) -> Job:
    """PENDING or RUNNING → CANCELLED. A cancelled job stays as it is. A running attempt loses its term."""
    if job.state is State.CANCELLED:
        return job
    if job.state.final:
        raise IllegalMove(f"Job {job.id} is {job.state.name} already and cannot be cancelled.")
    return replace(job, state=State.CANCELLED, owner=None, finish_time=now)


def term_of(job: Job) -> Term:
    """The term a running job is under."""
    if job.state is not State.RUNNING or job.owner is None:
        raise IllegalMove(f"Job {job.id} is {job.state.name}: only a running job is under a term.")
    return Term(job_id=job.id, owner=job.owner, attempt=job.attempt)


def attempts_left(job: Job) -> bool:
    """True if a further attempt may be started."""
    return job.attempt < job.max_attempts


def reused(job: Job) -> RequestIdReused:
    """The error of a job whose key belongs to one that was made of another body."""
    what = f'The request id "{job.request_id}"' if job.request_id else f'The key "{job.dedup_key}"'
    return RequestIdReused(f"{what} was used before with another body: use a new one.")


def backoff(attempt: int, *, base: timedelta, cap: timedelta, jitter: float) -> timedelta:
    """Wait before the next attempt: base · 2^(attempt-1), capped; `jitter` in [0, 1) spreads its upper half.

    Source: "equal jitter", M. Brooker, Exponential Backoff and Jitter (AWS Architecture Blog, 2015).
    """
    doublings = min(max(attempt - 1, 0), 30)
    full = min(base * (1 << doublings), cap)
    return full / 2 + full / 2 * jitter


def _shortened(message: str) -> str:
    """At most MOST_CHARACTERS of it: so a failure event, which tells it, is taken by Kafka whatever was quoted."""
    if len(message) <= MOST_CHARACTERS:
        return message
    kept = MOST_CHARACTERS // 2 - 25
    return f"{message[:kept]} … {len(message) - 2 * kept:,} characters left out … {message[-kept:]}"


def _require(job: Job, state: State, *, move: str) -> None:
    if job.state is not state:
        raise IllegalMove(f"Cannot {move} job {job.id}: it is {job.state.name}, not {state.name}.")


def _require_attempts_left(job: Job, *, move: str) -> None:
    if not attempts_left(job):
        raise IllegalMove(f"Cannot {move} job {job.id}: no attempt of {job.max_attempts} is left; fail it instead.")
