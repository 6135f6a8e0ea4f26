"""Which plans PostgreSQL makes for the statements that are run often: each walks an index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mcsvc.adapters.postgres import rows
from mcsvc.adapters.postgres.migrate import migrate
from mcsvc.adapters.postgres.queries import find_query, query
from mcsvc.adapters.postgres.session import Connection
from mcsvc.adapters.postgres.store import PostgresJobStore
from mcsvc.domain import job as moves
from mcsvc.domain.job import State, Trigger
from mcsvc.ports.job_store import Cursor, JobFilter
from tests.job_samples import LEASE, new_owner
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.stack
DUE_OF_EACH = {f"jobs_due_of_{trigger.value}" for trigger in Trigger}

FILL = b"""
INSERT INTO jobs (
    id, dedup_key, body_digest, request_id, subject_kind, subject_ref, settings, trigger_kind, trace_parent, state,
    attempt, max_attempts, owner, lease_until, create_time, run_after, finish_time, paths_done, paths_total,
    input_digest, result_digest, queued_s, fetch_s, simulate_s
)
SELECT gen_random_uuid(), made_by || n, '', '', kind, (n %% 10)::text, '{"model": "day"}', made_by, '', state,
    1, 3, CASE state WHEN 'running' THEN gen_random_uuid() END, CASE state WHEN 'running' THEN at END, at,
    CASE n %% 40 WHEN 0 THEN at + '1 day' ELSE at END, CASE state WHEN 'succeeded' THEN at END, 0, 0, '', '', 0, 0, 0
FROM generate_series(1, 10000) AS n,
    LATERAL (
        SELECT now() - n * '1 s'::interval AS at, (%(triggers)s::text[])[1 + n / 40 %% %(count)s] AS made_by,
            CASE n %% 2 WHEN 0 THEN 'assessment' ELSE 'funded_account' END AS kind,
            CASE n %% 20 WHEN 0 THEN 'pending' WHEN 1 THEN 'running' ELSE 'succeeded' END AS state
    ) AS made
"""

OWE = b"""
INSERT INTO outbox (id, topic, event_key, payload, headers, create_time, held_until)
SELECT n::text, 'topic', n::text, '', '{}', now() - n * '1 s'::interval, now()
FROM generate_series(1, 10000) AS n
"""


def fill(store: PostgresJobStore, *made_by: Trigger) -> None:
    """10,000 jobs of 20 accounts, a twentieth of them running and a twentieth pending, of which half are put off."""
    params = {"triggers": [trigger.value for trigger in made_by], "count": len(made_by)}
    store.session.transact(lambda c: c.execute(FILL, params))


@pytest.fixture(scope="module")
def full_store(postgres_server: PostgresServer) -> Iterator[PostgresJobStore]:
    """Jobs of every trigger, most of a sweep, in the database's statistics too."""
    name = postgres_server.create_database()
    migrate(postgres_server.url(name))
    store = PostgresJobStore.open(postgres_server.url(name), pool_size=1)
    fill(store, Trigger.API, Trigger.ASSESSMENT_COMPLETED, *[Trigger.SCHEDULE] * 8)
    store.session.transact(lambda c: c.execute(b"ANALYZE jobs"))
    yield store
    store.close()
    postgres_server.drop_database(name)


def plan_of(store: PostgresJobStore, statement: bytes, params: dict[str, Any]) -> list[dict[str, Any]]:
    """Every node of the plan the database would use."""
    (row,) = store.session.ask(b"EXPLAIN (FORMAT JSON) " + statement, params)
    (explained,) = row.values()
    nodes, found = [explained[0]["Plan"]], []
    while nodes:
        node = nodes.pop()
        found.append(node)
        nodes += node.get("Plans", [])
    return found


def claim_plan_of(store: PostgresJobStore, name: str, *, limit: int) -> list[dict[str, Any]]:
    return plan_of(store, query(name), {**rows.KNOWN, "owner": new_owner(), "limit": limit, "lease": LEASE})


def assert_walks(plan: list[dict[str, Any]], *indexes: str) -> None:
    """The plan reads jobs in the order of these indexes: no scan of the table, no sort."""
    kinds = {node["Node Type"] for node in plan}
    assert set(indexes) <= {node.get("Index Name") for node in plan}, plan
    assert not kinds & {"Seq Scan", "Sort", "Incremental Sort"}, plan


@pytest.mark.parametrize("limit", [1, 16])
def test_the_claim_by_age_walks_the_index_of_due_jobs(full_store: PostgresJobStore, limit: int) -> None:
    assert_walks(claim_plan_of(full_store, "claim_longest_due", limit=limit), "jobs_due")


@pytest.mark.parametrize("limit", [1, 16])
def test_the_claim_by_trigger_walks_an_index_of_each(full_store: PostgresJobStore, limit: int) -> None:
    assert_walks(claim_plan_of(full_store, "claim_next", limit=limit), *DUE_OF_EACH)


@pytest.mark.parametrize("before", Trigger)
@pytest.mark.parametrize("since", Trigger)
@pytest.mark.parametrize("states", ["('succeeded')", "('succeeded', 'running', 'pending')"])
def test_statistics_of_before_a_flood_lead_no_claim_through_other_jobs(
    postgres_store: PostgresJobStore, before: Trigger, since: Trigger, states: str
) -> None:
    def look(connection: Connection) -> None:
        connection.execute(f"DELETE FROM jobs WHERE state NOT IN {states}".encode())
        connection.execute(b"ANALYZE jobs")
        connection.execute(b"UPDATE jobs SET dedup_key = 'before:' || dedup_key")

    fill(postgres_store, before)
    postgres_store.session.transact(look)
    fill(postgres_store, since)
    for name, due in {"claim_longest_due": {"jobs_due"}, "claim_next": DUE_OF_EACH}.items():
        used = {node.get("Index Name") for node in claim_plan_of(postgres_store, name, limit=1)}
        assert used == {*due, "jobs_pkey", None}


def test_the_backlog_walks_an_index_of_each_trigger(full_store: PostgresJobStore) -> None:
    assert_walks(plan_of(full_store, query("backlog"), {"most": 10_000}), *DUE_OF_EACH)


def test_statistics_of_before_a_flood_lead_no_move_through_other_jobs(postgres_store: PostgresJobStore) -> None:
    """A person cancels one of 10,000 jobs of a sweep."""

    def look(connection: Connection) -> None:
        connection.execute(
            b"UPDATE jobs SET dedup_key = 'before:' || dedup_key, state = 'succeeded', finish_time = now(),"
            b" owner = NULL, lease_until = NULL"
        )
        connection.execute(b"ANALYZE jobs")

    fill(postgres_store, Trigger.SCHEDULE)
    postgres_store.session.transact(look)
    fill(postgres_store, Trigger.SCHEDULE)
    (row,) = postgres_store.session.ask(b"SELECT id FROM jobs WHERE state = 'pending' LIMIT 1", {})
    params = rows.move_params(moves.cancel(postgres_store.get(row["id"]), now=postgres_store.now()))
    assert {node.get("Index Name") for node in plan_of(postgres_store, query("update_moved_job"), params)} == {
        "jobs_pkey",
        None,
    }


def test_statistics_of_before_an_outage_lead_no_relay_through_all_that_is_owed(
    postgres_store: PostgresJobStore,
) -> None:
    def owe(connection: Connection) -> None:
        connection.execute(OWE)

    def look(connection: Connection) -> None:
        connection.execute(b"UPDATE outbox SET id = 'before:' || id, sent_time = now()")
        connection.execute(b"ANALYZE outbox")

    for step in (owe, look, owe):
        postgres_store.session.transact(step)
    params = {"limit": 100, "hold": LEASE, "except_topics": []}
    used = {node.get("Index Name") for node in plan_of(postgres_store, query("claim_unsent_events"), params)}
    assert used == {"outbox_unsent", "outbox_owed_by_key", "outbox_pkey", None}


def test_the_rescue_walks_the_index_of_leases(full_store: PostgresJobStore) -> None:
    assert_walks(plan_of(full_store, query("expired_jobs"), {**rows.KNOWN, "limit": 10}), "jobs_lease")


@pytest.mark.parametrize(
    ("where", "index"),
    [
        (JobFilter(), "jobs_by_create_time"),
        (JobFilter(trigger=Trigger.API), "jobs_by_trigger"),
        (JobFilter(state=State.FAILED), "jobs_by_state"),
        (JobFilter(assessment_id="7"), "jobs_by_subject"),
        (JobFilter(funded_account_id="7"), "jobs_by_subject"),
    ],
)
@pytest.mark.parametrize("page", ["first", "later"])
def test_each_list_walks_an_index_from_page_to_page(
    full_store: PostgresJobStore, where: JobFilter, index: str, page: str
) -> None:
    (last,) = full_store.session.ask(b"SELECT create_time, id FROM jobs ORDER BY create_time LIMIT 1 OFFSET 5000", {})
    after = Cursor(create_time=last["create_time"], id=last["id"]) if page == "later" else None
    conditions, params = rows.list_conditions(where, after)
    assert_walks(plan_of(full_store, find_query(conditions), {**rows.KNOWN, **params, "limit": 50}), index)
