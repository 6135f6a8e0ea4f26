"""One real PostgreSQL a test run, on a loopback port; a fresh database for each test that asks.

It is the devstack's: it ends with this process, however this process ends.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from mcsvc.adapters.postgres.migrate import migrate
from mcsvc.adapters.postgres.store import PostgresJobStore
from mcsvc.devstack.errors import PartFailed
from mcsvc.devstack.postgres import EmbeddedPostgres
from mcsvc.devstack.run import Run

_TEMPLATE = "migrated"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A running server; `base` is its address up to the database name."""

    base: str

    def url(self, database: str) -> str:
        """The address of one database."""
        return f"{self.base}/{database}"

    def create_database(self, *, template: str = "template1", name: str = "") -> str:
        """A new database, of a name not used before unless one is given."""
        name = name or f"t{uuid.uuid4().hex[:12]}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        """Drop it, whoever is still connected."""
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server of this test run, with a migrated template database."""
    run = Run()
    try:
        address = EmbeddedPostgres().start(run, {})["DATABASE_URL"]
        server = PostgresServer(base=address.rpartition("/")[0])
        migrate(server.url(server.create_database(name=_TEMPLATE)))
        yield server
    except PartFailed as error:
        error.add_note(error.tail)  # the log goes with the run
        raise
    finally:
        run.close()


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh, migrated database of this test's own."""
    name = postgres_server.create_database(template=_TEMPLATE)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def empty_database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh database of this test's own without any table."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def postgres_store(database_url: str) -> Iterator[PostgresJobStore]:
    """A job store on a fresh database."""
    store = PostgresJobStore.open(database_url, pool_size=4)
    yield store
    store.close()
