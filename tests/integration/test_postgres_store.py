"""What the PostgreSQL store does beyond the common contract: contention, outages, jobs of a newer version."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any, TypeVar

import psycopg
import pytest

from mcsvc.adapters.postgres import rows
from mcsvc.adapters.postgres.migrate import migrate
from mcsvc.adapters.postgres.queries import query
from mcsvc.adapters.postgres.session import Connection, Session, open_pool
from mcsvc.adapters.postgres.store import PostgresJobStore
from mcsvc.domain.errors import IllegalMove, JobUnreadable, LeaseLost, RequestIdReused, StoreUnavailable
from mcsvc.domain.job import Job, JobId, State, Timing, Trigger, term_of
from mcsvc.ports.job_store import JobFilter
from tests.job_samples import LEASE, NO_LEASE, RESULT, event_of, new_job, new_owner

T = TypeVar("T")
pytestmark = pytest.mark.stack
CROWD = 6
WAIT_S = 60.0


@pytest.fixture
def serializable_store(database_url: str) -> Iterator[PostgresJobStore]:
    """The isolation CockroachDB has: contention shows as SQLSTATE 40001."""
    store = PostgresJobStore.open(f"{database_url}?options=-c%20default_transaction_isolation%3Dserializable")
    yield store
    store.close()


@pytest.fixture(params=["postgres_store", "serializable_store"], ids=["read committed", "serializable"])
def store(request: pytest.FixtureRequest) -> PostgresJobStore:
    found: PostgresJobStore = request.getfixturevalue(request.param)
    return found


def all_at_once(work: Callable[[int], T]) -> list[T]:
    barrier = Barrier(CROWD)

    def one(number: int) -> T:
        barrier.wait(WAIT_S)
        return work(number)

    with ThreadPoolExecutor(CROWD) as crowd:
        return list(crowd.map(one, range(CROWD), timeout=WAIT_S))


def test_concurrent_creators_with_one_key_get_one_job(store: PostgresJobStore) -> None:
    answers = all_at_once(lambda _: store.create(new_job(dedup_key="request:1")))
    assert len({job.id for job, _ in answers}) == 1
    assert sum(made for _, made in answers) == 1


def test_concurrent_claimants_share_the_jobs_without_overlap(store: PostgresJobStore) -> None:
    jobs = {store.create(new_job(trigger=list(Trigger)[number % 3]))[0].id for number in range(30)}

    def claim_all(number: int) -> list[JobId]:
        owner, mine = new_owner(), []
        claim = store.claim_longest_due if number % 2 else store.claim_next
        while claimed := claim(owner, limit=2, lease=LEASE):
            for job in claimed:
                store.succeed(term_of(job), RESULT, Timing(), event_of)
                mine.append(job.id)
        return mine

    shares = all_at_once(claim_all)
    while left := claim_all(0):  # under serializable isolation a claimant may see nothing while others commit
        shares.append(left)
    claimed = [job_id for share in shares for job_id in share]
    assert len(claimed) == len(set(claimed))
    assert set(claimed) == jobs
    assert len(store.unsent(limit=100)) == len(jobs)


@pytest.mark.parametrize("claim", [PostgresJobStore.claim_next, PostgresJobStore.claim_longest_due])
@pytest.mark.parametrize("trigger", Trigger)
def test_a_claimant_goes_past_a_job_that_another_transaction_holds(
    postgres_store: PostgresJobStore, claim: Callable[..., list[Job]], trigger: Trigger
) -> None:
    held, free, last = (
        postgres_store.create(new_job(trigger=each))[0] for each in (trigger, trigger, Trigger.SCHEDULE)
    )

    def claim_meanwhile(connection: psycopg.Connection[Any]) -> list[Job]:
        connection.execute(query("job_by_id_locked"), {"id": held.id})
        with ThreadPoolExecutor(1) as other:
            return other.submit(claim, postgres_store, new_owner(), limit=3, lease=LEASE).result(WAIT_S)

    assert [job.id for job in postgres_store.session.transact(claim_meanwhile)] == [free.id, last.id]


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_a_claim_holds_no_more_jobs_than_it_takes(postgres_store: PostgresJobStore, limit: int) -> None:
    for trigger in sorted([*Trigger] * 2, key=lambda trigger: trigger.rank):
        postgres_store.create(new_job(trigger=trigger))
    params = {**rows.KNOWN, "owner": new_owner(), "limit": limit, "lease": LEASE}

    def claim_meanwhile(connection: psycopg.Connection[Any]) -> tuple[int, list[Job]]:
        mine = connection.execute(query("claim_next"), params).fetchall()
        with ThreadPoolExecutor(1) as other:
            theirs = other.submit(postgres_store.claim_next, new_owner(), limit=9, lease=LEASE).result(WAIT_S)
        return len(mine), theirs

    mine, theirs = postgres_store.session.transact(claim_meanwhile)
    assert (mine, len(theirs)) == (limit, 6 - limit)


def test_of_a_cancel_and_a_finish_at_once_exactly_one_wins(store: PostgresJobStore) -> None:
    for _ in range(5):
        job, _ = store.create(new_job())
        (running,) = store.claim_next(new_owner(), limit=1, lease=LEASE)

        def race(number: int, job: Job = running) -> bool:
            try:
                if number % 2:
                    store.cancel(job.id)
                else:
                    store.succeed(term_of(job), RESULT, Timing(), event_of)
            except (IllegalMove, LeaseLost):
                return False
            return True

        wins = all_at_once(race)
        state = store.get(job.id).state
        assert (sum(wins[::2]) == 1) == (state is State.SUCCEEDED)
        assert any(wins[1::2]) == (state is State.CANCELLED)


def test_a_serialization_failure_runs_the_whole_transaction_again(postgres_store: PostgresJobStore) -> None:
    tries: list[int] = []

    def work(connection: psycopg.Connection[Any]) -> int:
        tries.append(1)
        connection.execute("INSERT INTO schema_migrations (version, name) VALUES (%s, 'x')", (1000 + len(tries),))
        if len(tries) < 3:
            raise psycopg.errors.SerializationFailure("again")
        return len(tries)

    assert postgres_store.session.transact(work) == 3
    found = postgres_store.session.ask(b"SELECT version FROM schema_migrations WHERE version > 1000", {})
    assert [row["version"] for row in found] == [1003]


def test_contention_without_end_is_reported_as_unavailable(postgres_store: PostgresJobStore) -> None:
    def work(_: psycopg.Connection[Any]) -> None:
        raise psycopg.errors.SerializationFailure("again")

    with pytest.raises(StoreUnavailable, match="contention"):
        postgres_store.session.transact(work)


def test_a_database_that_is_away_is_unavailable_and_its_return_is_noticed(postgres_store: PostgresJobStore) -> None:
    job, _ = postgres_store.create(new_job())
    postgres_store.session.ask(
        b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        b" AND pid <> pg_backend_pid()",
        {},
    )
    with pytest.raises(StoreUnavailable, match="broke off"):
        postgres_store.session.ask(b"SELECT pg_terminate_backend(pg_backend_pid())", {})
    assert postgres_store.get(job.id) == job


def test_a_database_that_was_never_there_is_unavailable_within_the_wait() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"postgresql://nobody@127.0.0.1:{probe.getsockname()[1]}/none"
    pool = open_pool(url, size=1, wait=timedelta(milliseconds=200))
    store = PostgresJobStore(session=Session(pool=pool))
    try:
        for ask in (store.ping, store.now, lambda: store.create(new_job())):
            with pytest.raises(StoreUnavailable):
                ask()
    finally:
        store.close()


@contextmanager
def frozen(store: PostgresJobStore) -> Iterator[None]:
    """The server's processes for the connections of this store's database stand still."""
    [connected] = store.session.ask(
        b"SELECT array_agg(pid) AS pids FROM pg_stat_activity WHERE datname = current_database()", {}
    )
    try:
        for pid in connected["pids"]:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in connected["pids"]:
            os.kill(pid, signal.SIGCONT)


def test_a_server_that_falls_silent_is_found_out_and_forgotten(database_url: str) -> None:
    wait = timedelta(milliseconds=300)
    store = PostgresJobStore(session=Session(pool=open_pool(database_url, size=1, wait=wait)))
    try:
        job, _ = store.create(new_job())
        with frozen(store), pytest.raises(StoreUnavailable):
            store.get(job.id)
        assert store.get(job.id) == job
    finally:
        store.close()


def test_a_statement_whose_answer_does_not_come_is_given_up(database_url: str) -> None:
    store = PostgresJobStore.open(database_url, pool_size=1)
    try:
        job, _ = store.create(new_job())

        def cut_short(connection: Connection) -> None:
            connection.answer_within_s = 0.3
            connection.execute("SELECT pg_sleep(5)")

        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"no answer within 0\.3 s"):
            store.session.transact(cut_short)
        assert time.monotonic() - began < 5
        assert store.get(job.id) == job
    finally:
        store.close()


@contextmanager
def read_only(url: str) -> Iterator[None]:
    """New connections to this database find it read-only, as after a failover to a standby."""
    name = url.rpartition("/")[2]
    writable = f"{url}?options=-c%20default_transaction_read_only%3Doff"
    with psycopg.connect(writable, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())


def test_a_read_only_database_is_away_until_it_may_be_written_again(database_url: str) -> None:
    with closing(PostgresJobStore.open(database_url, pool_size=1)) as store:
        store.ping()
        with read_only(database_url):
            store.session.transact(lambda connection: connection.execute(b"SET default_transaction_read_only = on"))
            for _ in range(2):
                with pytest.raises(StoreUnavailable, match="target_session_attrs=read-write"):
                    store.ping()
                with pytest.raises(StoreUnavailable, match="read-only"):
                    store.create(new_job())
                with pytest.raises(StoreUnavailable, match="read-only"):
                    store.claim_next(new_owner(), limit=1, lease=LEASE)
            with pytest.raises(StoreUnavailable, match="read-only"):
                migrate(database_url)
        with suppress(StoreUnavailable):  # of the one connection that was made before
            store.ping()
        store.ping()
        job, made = store.create(new_job())
        assert (made, store.get(job.id)) == (True, job)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.IdleInTransactionSessionTimeout,
        psycopg.errors.InternalError_,
        psycopg.errors.DataCorrupted,
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.UndefinedTable,
        psycopg.errors.FeatureNotSupported,
        psycopg.InterfaceError,
    ],
)
def test_what_the_database_fails_at_whatever_is_asked_is_unavailable_and_its_connection_is_left(
    postgres_store: PostgresJobStore, error: type[psycopg.Error]
) -> None:
    used: list[Connection] = []

    def work(connection: Connection) -> None:
        used.append(connection)
        raise error("from the server")

    with pytest.raises(StoreUnavailable, match="from the server"):
        postgres_store.session.transact(work)
    assert [connection.closed for connection in used] == [True]
    postgres_store.ping()


@pytest.mark.parametrize(
    "error", [psycopg.DataError, psycopg.errors.NumericValueOutOfRange, psycopg.errors.CheckViolation]
)
def test_what_the_data_may_be_the_cause_of_is_no_outage(
    postgres_store: PostgresJobStore, error: type[psycopg.Error]
) -> None:
    used: list[Connection] = []

    def work(connection: Connection) -> None:
        used.append(connection)
        raise error("from the data")

    with pytest.raises(error, match="from the data"):
        postgres_store.session.transact(work)
    assert [connection.closed for connection in used] == [False]


def test_what_psycopg_itself_refuses_to_send_is_no_outage(postgres_store: PostgresJobStore) -> None:
    with pytest.raises(psycopg.ProgrammingError, match="adapt"):
        postgres_store.session.ask(b"SELECT %(what)s", {"what": object()})


def test_a_database_without_a_schema_says_how_to_make_it(empty_database_url: str) -> None:
    with (
        closing(PostgresJobStore.open(empty_database_url, pool_size=1)) as store,
        pytest.raises(StoreUnavailable, match="mcsvc migrate"),
    ):
        store.ping()


def test_a_ping_says_why_no_connection_comes(database_url: str) -> None:
    url = database_url.rpartition("/")[0] + "/no_such_database"
    store = PostgresJobStore(session=Session(pool=open_pool(url, size=1, wait=timedelta(milliseconds=200))))
    try:
        with pytest.raises(StoreUnavailable, match='database "no_such_database" does not exist'):
            store.ping()
    finally:
        store.close()


def test_the_database_itself_refuses_a_running_job_without_a_term(postgres_store: PostgresJobStore) -> None:
    job, _ = postgres_store.create(new_job())
    with pytest.raises(psycopg.errors.CheckViolation, match="running_has_a_term"):
        postgres_store.session.ask(b"UPDATE jobs SET state = 'running' WHERE id = %(id)s RETURNING id", {"id": job.id})


FROM_THE_FUTURE = {
    "a setting": b"""UPDATE jobs SET settings = settings || '{"antithetic": true}' WHERE id = %(id)s RETURNING id""",
    "a model": b"""UPDATE jobs SET settings = settings || '{"model": "garch"}' WHERE id = %(id)s RETURNING id""",
    "a trigger": b"UPDATE jobs SET trigger_kind = 'webhook' WHERE id = %(id)s RETURNING id",
}


@pytest.fixture(params=FROM_THE_FUTURE)
def newer(request: pytest.FixtureRequest) -> bytes:
    """Makes a job one of a newer version."""
    return FROM_THE_FUTURE[request.param]


def mixed(store: PostgresJobStore, newer: bytes) -> tuple[Job, list[Job]]:
    """A job of a newer version, the longest due, and some of this one."""
    store.session.transact(lambda c: c.execute(b"ALTER TABLE jobs DROP CONSTRAINT jobs_trigger_kind_check"))
    first, *others = (store.create(new_job())[0] for _ in range(4))
    store.session.ask(newer, {"id": first.id})
    return first, others


def test_a_job_of_a_newer_version_is_left_to_it_and_stops_no_other(
    postgres_store: PostgresJobStore, newer: bytes
) -> None:
    unknown, known = mixed(postgres_store, newer)
    for number, wanted in enumerate(known):
        claim = postgres_store.claim_longest_due if number % 2 else postgres_store.claim_next
        assert [job.id for job in claim(new_owner(), limit=1, lease=LEASE)] == [wanted.id]
    assert postgres_store.claim_next(new_owner(), limit=9, lease=LEASE) == []
    assert postgres_store.claim_longest_due(new_owner(), limit=9, lease=LEASE) == []
    [row] = postgres_store.session.ask(b"SELECT state, attempt FROM jobs WHERE id = %(id)s", {"id": unknown.id})
    assert (row["state"], row["attempt"]) == ("pending", 0)


def test_an_expired_job_of_a_newer_version_stops_no_rescue(
    postgres_store: PostgresJobStore, newer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    others = [postgres_store.create(new_job())[0] for _ in range(3)]
    postgres_store.claim_next(new_owner(), limit=9, lease=NO_LEASE)
    postgres_store.session.transact(lambda c: c.execute(b"ALTER TABLE jobs DROP CONSTRAINT jobs_trigger_kind_check"))
    unknown = postgres_store.expired(limit=1)[0]
    postgres_store.session.ask(newer, {"id": unknown.id})
    store = PostgresJobStore(session=postgres_store.session)
    for _ in range(2):
        assert {job.id for job in store.expired(limit=2)} == {job.id for job in others} - {unknown.id}
    [told] = [record for record in caplog.records if record.message == "jobs_unreadable"]
    assert vars(told)["jobs"] == 1
    assert vars(told)["job_id"] == str(unknown.id)


def test_pages_go_past_a_job_of_a_newer_version(postgres_store: PostgresJobStore, newer: bytes) -> None:
    _, known = mixed(postgres_store, newer)
    assert postgres_store.find(JobFilter(), limit=3) == known[::-1]
    assert postgres_store.find(JobFilter(state=State.PENDING), limit=9) == known[::-1]


def test_who_asks_for_a_job_of_a_newer_version_is_told_to_ask_that_version(
    postgres_store: PostgresJobStore, newer: bytes
) -> None:
    unknown, _ = mixed(postgres_store, newer)
    for ask in (postgres_store.get, postgres_store.cancel):
        with pytest.raises(JobUnreadable, match=str(unknown.id)):
            ask(unknown.id)
    again = replace(new_job(dedup_key=unknown.dedup_key), body_digest="other")
    with pytest.raises(RequestIdReused):
        postgres_store.create(again)
