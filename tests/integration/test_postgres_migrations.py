"""Migrations: applied once, safe to race, and within what CockroachDB can do too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mcsvc.adapters.postgres.migrate import Migration, migrate, migrations, needed_version
from mcsvc.adapters.postgres.queries import statements
from mcsvc.adapters.postgres.store import PostgresJobStore
from mcsvc.domain.errors import StoreUnavailable
from tests.job_samples import new_job

NAMES = [step.name for step in migrations()]
INDEXES = [step for step in migrations() if "CREATE INDEX" in step.statement]
DEPLOYMENT = (Path(__file__).parents[2] / "docs/deployment.md").read_text()
FORBIDDEN = re.compile(r"advisory|\blisten\b|\bnotify\b|\bserial\b|\bbigserial\b|\bconcurrently\b", re.IGNORECASE)


def text_of(statement: str) -> str:
    return "\n".join(line for line in statement.splitlines() if not line.startswith("--")).strip()


@pytest.mark.stack
def test_an_empty_database_becomes_usable_and_a_second_run_changes_nothing(empty_database_url: str) -> None:
    assert migrate(empty_database_url) == NAMES
    assert migrate(empty_database_url) == []
    store = PostgresJobStore.open(empty_database_url, pool_size=1)
    store.ping()
    store.create(new_job())
    store.close()


@pytest.mark.stack
def test_several_processes_may_migrate_at_once(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as crowd:
        shares = list(crowd.map(migrate, [empty_database_url] * 4, timeout=60))
    assert sorted(name for share in shares for name in share) == NAMES


@pytest.mark.stack
def test_a_ping_says_to_migrate_while_the_schema_is_missing_or_old(empty_database_url: str) -> None:
    store = PostgresJobStore.open(empty_database_url, pool_size=1)
    with pytest.raises(StoreUnavailable, match="mcsvc migrate"):
        store.ping()
    migrate(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("DELETE FROM schema_migrations WHERE version = %s", (needed_version(),))
    with pytest.raises(StoreUnavailable, match="mcsvc migrate"):
        store.ping()
    store.close()


@pytest.mark.stack
def test_a_schema_newer_than_this_version_is_accepted(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO schema_migrations (version, name) VALUES (%s, 'next')", (needed_version() + 1,))
    store = PostgresJobStore.open(database_url, pool_size=1)
    store.ping()
    store.close()


@pytest.fixture
def indexed(empty_database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A database as it was before the migrations that only make an index, all built already but for these records."""
    migrate(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        for step in INDEXES:
            connection.execute(f"DROP INDEX {index_of(step)}".encode())
            connection.execute("DELETE FROM schema_migrations WHERE version = %s", (step.version,))
            connection.execute(while_writes_go_on(step))
        yield connection


def index_of(step: Migration) -> str:
    """The index that it makes."""
    return text_of(step.statement).split()[5]


def while_writes_go_on(step: Migration) -> bytes:
    """As docs/deployment.md says to build it."""
    assert "sed 's/CREATE INDEX/& CONCURRENTLY/'" in DEPLOYMENT
    return step.statement.replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY").encode()


def files_of(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """The file of each index: another one once it is built anew."""
    found = connection.execute("SELECT relname, relfilenode FROM pg_class WHERE relkind = 'i'")
    return dict(found.fetchall())


@pytest.mark.stack
def test_a_migration_passes_over_an_index_that_was_built_beforehand(
    indexed: psycopg.Connection[Any], empty_database_url: str
) -> None:
    before = files_of(indexed)
    assert migrate(empty_database_url) == [step.name for step in INDEXES]
    assert files_of(indexed) == before
    assert set(map(index_of, INDEXES)) <= before.keys()


@pytest.mark.stack
def test_an_index_whose_building_broke_off_is_found_as_told_and_built_again(
    indexed: psycopg.Connection[Any], empty_database_url: str
) -> None:
    [invalid] = re.findall(r"'(SELECT indexrelid.*)'", DEPLOYMENT)
    step = INDEXES[-1]
    drop = f"DROP INDEX CONCURRENTLY {index_of(step)}".encode()
    indexed.execute(drop)
    with closing(PostgresJobStore.open(empty_database_url, pool_size=1)) as store:
        store.create(new_job())
        store.create(new_job())
    with pytest.raises(psycopg.errors.UniqueViolation):
        indexed.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {index_of(step)} ON jobs (trigger_kind)".encode())
    indexed.execute(while_writes_go_on(step))
    assert indexed.execute(invalid).fetchall() == [(index_of(step),)], "passed over as it is"
    indexed.execute(drop)
    indexed.execute(while_writes_go_on(step))
    assert indexed.execute(invalid).fetchall() == []


def test_a_database_that_cannot_be_reached_is_named_with_its_variable() -> None:
    with pytest.raises(StoreUnavailable, match="DATABASE_URL"):
        migrate("postgresql://nobody@127.0.0.1:1/none")


def test_migrations_are_numbered_one_after_the_other() -> None:
    assert [step.version for step in migrations()] == list(range(1, len(NAMES) + 1))


@pytest.mark.parametrize("step", migrations(), ids=lambda step: step.name)
def test_a_migration_is_one_repeatable_statement_that_says_what_for(step: object) -> None:
    statement = getattr(step, "statement", "")
    assert statement.startswith("-- ")
    assert text_of(statement).count(";") == 1
    assert "IF NOT EXISTS" in statement
    assert not FORBIDDEN.search(text_of(statement))


def test_no_statement_needs_what_cockroachdb_lacks() -> None:
    assert not [name for name, text in statements().items() if FORBIDDEN.search(text)]


def test_no_statement_changes_a_table_twice() -> None:
    changes = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)")
    for name, text in statements().items():
        changed = [table for table in changes.findall(text) if table not in {"SET", "SKIP"}]
        assert len(changed) <= 1, name


def test_every_statement_says_what_it_is_for() -> None:
    from importlib.resources import files

    text = files("mcsvc.adapters.postgres").joinpath("queries.sql").read_text(encoding="utf-8")
    for part in text.split("-- name: ")[1:]:
        name, purpose = part.splitlines()[:2]
        assert purpose.startswith("-- "), name
