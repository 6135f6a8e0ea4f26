"""The job store on PostgreSQL or CockroachDB: `queries.sql` under the port's promises.

A move reads its job under the fence and a row lock, asks the domain what becomes of it, and writes that. Claims and
reports, which are frequent, are single statements.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar, final

import psycopg
from psycopg.rows import DictRow

from mcsvc.adapters.postgres import rows
from mcsvc.adapters.postgres.migrate import needed_version
from mcsvc.adapters.postgres.queries import find_query, query
from mcsvc.adapters.postgres.session import Connection, Session, open_pool
from mcsvc.adapters.postgres.unreadable import UnreadableJobs
from mcsvc.domain import job as moves
from mcsvc.domain.errors import JobNotFound, LeaseLost, StoreUnavailable
from mcsvc.domain.job import Failure, Job, JobId, OwnerId, Progress, Term, Timing
from mcsvc.domain.subject import Subject, SubjectKind
from mcsvc.ports.job_store import Backlog, Cursor, EventOf, JobFilter, OutboxEvent, Snapshot, StoredResult

T = TypeVar("T")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresJobStore:
    """See the port. Threads may share it; `close` it at the end."""

    session: Session
    unreadable: UnreadableJobs = field(default_factory=UnreadableJobs)

    @classmethod
    def open(cls, url: str, *, pool_size: int = 10) -> PostgresJobStore:
        """A store with a pool of its own."""
        return cls(session=Session(pool=open_pool(url, size=pool_size)))

    def close(self) -> None:
        """Close all connections."""
        self.session.pool.close()

    def create(self, job: Job, snapshot: Snapshot | None = None) -> tuple[Job, bool]:
        """See the port."""
        return self.session.transact(partial(_create, job=job, snapshot=snapshot))

    def get(self, job_id: JobId) -> Job:
        """See the port."""
        return rows.job_of(self._one_of("job_by_id", job_id))

    def snapshot(self, job_id: JobId) -> Snapshot | None:
        """See the port."""
        row = self._one_of("input_of", job_id)
        return None if row["data"] is None else Snapshot(data=row["data"], digest=row["digest"])

    def result(self, job_id: JobId) -> StoredResult | None:
        """See the port."""
        row = self._one_of("result_of", job_id)
        return None if row["data"] is None else StoredResult(data=row["data"], digest=row["digest"])

    def checkpoint(self, job_id: JobId) -> bytes:
        """See the port."""
        return self._one_of("checkpoint_of", job_id)["data"] or b""

    def find(self, where: JobFilter, *, limit: int, after: Cursor | None = None) -> list[Job]:
        """See the port."""
        conditions, params = rows.list_conditions(where, after)
        found = self.session.ask(find_query(conditions), {**rows.KNOWN, **params, "limit": limit})
        return [rows.job_of(row) for row in found]

    def claim_next(self, owner: OwnerId, *, limit: int, lease: timedelta) -> list[Job]:
        """See the port."""
        claimed = self._claimed("claim_next", owner, limit, lease)
        return sorted(claimed, key=lambda job: (job.trigger.rank, job.run_after, job.id))

    def claim_longest_due(self, owner: OwnerId, *, limit: int, lease: timedelta) -> list[Job]:
        """See the port."""
        claimed = self._claimed("claim_longest_due", owner, limit, lease)
        return sorted(claimed, key=lambda job: (job.run_after, job.id))

    def renew(self, terms: Sequence[Term], *, lease: timedelta) -> set[Term]:
        """See the port."""
        if not terms:
            return set()
        params = {
            "ids": [term.job_id for term in terms],
            "owners": [term.owner for term in terms],
            "attempts": [term.attempt for term in terms],
            "lease": lease,
        }
        held = self.session.ask(query("renew_leases"), params)
        return {Term(job_id=JobId(row["id"]), owner=OwnerId(row["owner"]), attempt=row["attempt"]) for row in held}

    def save_snapshot(self, term: Term, snapshot: Snapshot) -> None:
        """See the port."""

        def work(connection: Connection) -> None:
            _fenced(connection, "set_input_digest", term, digest=snapshot.digest)
            _put(connection, "put_input", term.job_id, data=snapshot.data, digest=snapshot.digest)

        self.session.transact(work)

    def save_progress(self, term: Term, progress: Progress) -> None:
        """See the port."""
        self.session.transact(lambda c: _fenced(c, "set_progress", term, **rows.progress_params(progress)))

    def save_checkpoint(self, term: Term, data: bytes, progress: Progress) -> None:
        """See the port."""

        def work(connection: Connection) -> None:
            _fenced(connection, "set_progress", term, **rows.progress_params(progress))
            _put(connection, "put_checkpoint", term.job_id, data=data)

        self.session.transact(work)

    def succeed(self, term: Term, result: StoredResult, timing: Timing, event_of: EventOf) -> Job:
        """See the port."""

        def work(connection: Connection) -> Job:
            change = partial(moves.succeed, result_digest=result.digest, timing=timing)
            moved = _move(connection, term, lambda job, now: change(job, now=now))
            _put(connection, "put_result", term.job_id, data=result.data, digest=result.digest)
            connection.execute(query("put_event"), rows.event_params(event_of(moved)))
            return moved

        return self.session.transact(work)

    def retry(self, term: Term, failure: Failure, *, delay: timedelta) -> Job:
        """See the port."""
        return self.session.transact(
            lambda c: _move(c, term, lambda job, now: moves.retry(job, failure, run_after=now + delay))
        )

    def put_off(self, term: Term, failure: Failure, *, delay: timedelta) -> Job:
        """See the port."""
        return self.session.transact(
            lambda c: _move(c, term, lambda job, now: moves.put_off(job, failure, run_after=now + delay))
        )

    def fail(self, term: Term, failure: Failure, event_of: EventOf) -> Job:
        """See the port."""

        def work(connection: Connection) -> Job:
            moved = _move(connection, term, lambda job, now: moves.fail(job, failure, now=now))
            connection.execute(query("put_event"), rows.event_params(event_of(moved)))
            return moved

        return self.session.transact(work)

    def hand_back(self, term: Term) -> Job:
        """See the port."""
        return self.session.transact(lambda c: _move(c, term, lambda job, now: moves.hand_back(job, now=now)))

    def cancel(self, job_id: JobId) -> Job:
        """See the port."""

        def work(connection: Connection) -> Job:
            row = connection.execute(query("job_by_id_locked"), {"id": job_id}).fetchone()
            if row is None:
                raise _not_found(job_id)
            job = rows.job_of(row)
            cancelled = moves.cancel(job, now=row["store_now"])
            return job if cancelled == job else _write_move(connection, cancelled)

        return self.session.transact(work)

    def expired(self, *, limit: int) -> list[Job]:
        """See the port."""
        self.unreadable.tell_now_and_then(self.session)
        found = self.session.ask(query("expired_jobs"), {**rows.KNOWN, "limit": limit})
        return [rows.job_of(row) for row in found]

    def simulated_since(self, subjects: Sequence[Subject], since: datetime, *, swept_since: datetime) -> set[Subject]:
        """See the port."""
        found: set[Subject] = set()
        for kind in {subject.kind for subject in subjects}:
            refs = [subject.ref for subject in subjects if subject.kind is kind]
            times = {"since": since, "swept_since": swept_since, "earliest": min(since, swept_since)}
            params = {"kind": kind.value, "refs": refs, **times}
            recent = self.session.ask(query("simulated_since"), params)
            found |= {Subject(kind=SubjectKind(row["subject_kind"]), ref=row["subject_ref"]) for row in recent}
        return found

    def unsent(self, *, limit: int) -> list[OutboxEvent]:
        """See the port."""
        return [rows.event_of(row) for row in self.session.ask(query("unsent_events"), {"limit": limit})]

    def backlog(self, *, most: int) -> Backlog:
        """See the port."""
        (row,) = self.session.ask(query("backlog"), {"most": most})
        return rows.backlog_of(row)

    def claim_unsent(self, *, limit: int, hold: timedelta, except_topics: Collection[str] = ()) -> list[OutboxEvent]:
        """See the port."""
        params = {"limit": limit, "hold": hold, "except_topics": list(except_topics)}
        held = self.session.ask(query("claim_unsent_events"), params)
        return [rows.event_of(row) for row in sorted(held, key=lambda row: (row["create_time"], row["id"]))]

    def mark_sent(self, event_ids: Sequence[str]) -> None:
        """See the port."""
        if event_ids:
            self.session.transact(lambda c: c.execute(query("mark_events_sent"), {"ids": list(event_ids)}))

    def forget_jobs(self, *, older_than: timedelta, limit: int) -> int:
        """See the port."""
        return self._deleted("forget_jobs", older_than, limit)

    def forget_sent(self, *, older_than: timedelta, limit: int) -> int:
        """See the port."""
        return self._deleted("forget_sent_events", older_than, limit)

    def now(self) -> datetime:
        """See the port."""
        now: datetime = self.session.ask(query("store_now"), {})[0]["store_now"]
        return now.astimezone(UTC)

    def ping(self) -> None:
        """See the port."""
        try:
            version = self.session.run_or_say_why(_version_where_writable)
        except StoreUnavailable as error:
            if isinstance(error.__cause__, psycopg.errors.UndefinedTable):
                raise StoreUnavailable("The database has no schema yet; run `mcsvc migrate`.") from error
            raise
        if version < needed_version():
            raise StoreUnavailable(f"The schema is at {version}, not {needed_version()}; run `mcsvc migrate`.")

    def _claimed(self, name: str, owner: OwnerId, limit: int, lease: timedelta) -> list[Job]:
        params = {**rows.KNOWN, "owner": owner, "limit": limit, "lease": lease}
        return [rows.job_of(row) for row in self.session.ask(query(name), params)]

    def _deleted(self, name: str, older_than: timedelta, limit: int) -> int:
        params = {"older_than": older_than, "limit": limit}
        return self.session.transact(lambda c: c.execute(query(name), params).rowcount)

    def _one_of(self, name: str, job_id: JobId) -> DictRow:
        found = self.session.ask(query(name), {"id": job_id})
        if not found:
            raise _not_found(job_id)
        return found[0]


def _version_where_writable(connection: Connection) -> int:
    row = connection.execute(query("schema_version")).fetchone()
    if row is None or row["read_only"]:
        raise psycopg.errors.ReadOnlySqlTransaction(
            "it takes no writes; if DATABASE_URL names several hosts, add target_session_attrs=read-write"
        )
    version: int = row["version"]
    return version


def _create(connection: Connection, *, job: Job, snapshot: Snapshot | None) -> tuple[Job, bool]:
    inserted = connection.execute(query("insert_job"), rows.new_job_params(job)).fetchone()
    if inserted is None:
        made = connection.execute(query("job_by_dedup_key"), {"dedup_key": job.dedup_key}).fetchone()
        if made is None:
            raise psycopg.errors.SerializationFailure("the job of this key is not visible yet")
        if made["body_digest"] != job.body_digest:
            raise moves.reused(job)
        return rows.job_of(made), False
    if snapshot is not None:
        _put(connection, "put_input", job.id, data=snapshot.data, digest=snapshot.digest)
    return rows.job_of(inserted), True


def _move(connection: Connection, term: Term, change: Callable[[Job, datetime], Job]) -> Job:
    row = connection.execute(query("job_by_term_locked"), rows.term_params(term)).fetchone()
    if row is None:
        raise _lost(term)
    return _write_move(connection, change(rows.job_of(row), row["store_now"]))


def _write_move(connection: Connection, after: Job) -> Job:
    """Of a job that this transaction holds."""
    connection.execute(query("update_moved_job"), rows.move_params(after))
    if after.state.final:
        connection.execute(query("drop_checkpoint"), {"id": after.id})
    return after


def _fenced(connection: Connection, name: str, term: Term, **params: object) -> None:
    if connection.execute(query(name), {**rows.term_params(term), **params}).rowcount == 0:
        raise _lost(term)


def _put(connection: Connection, name: str, job_id: JobId, **params: object) -> None:
    connection.execute(query(name), {"id": job_id, **params})


def _lost(term: Term) -> LeaseLost:
    return LeaseLost(f"Attempt {term.attempt} of job {term.job_id} is over; drop the run.")


def _not_found(job_id: JobId) -> JobNotFound:
    return JobNotFound(f"No job {job_id}; check the id.")
