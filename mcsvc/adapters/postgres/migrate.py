"""Bring a database to the schema this version needs: numbered SQL files, one statement each, safe to run twice at once.

Each step and its record are one transaction. Two processes may race: steps say IF NOT EXISTS, the record has a unique
key, and whoever loses reads again. No advisory locks: CockroachDB has none.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import psycopg

from mcsvc.domain.errors import StoreUnavailable

_log = logging.getLogger("mcsvc.migrate")

_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version int PRIMARY KEY,
    name text NOT NULL,
    apply_time timestamptz NOT NULL DEFAULT now()
)
"""
_RACED = (
    psycopg.errors.UniqueViolation,
    psycopg.errors.DuplicateTable,
    psycopg.errors.DuplicateObject,
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
)
_TRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step: its number, its file's name and its statement."""

    version: int
    name: str
    statement: str


@cache
def migrations() -> tuple[Migration, ...]:
    """All steps, in order. Numbers are consecutive from 1."""
    folder = files(__package__).joinpath("migrations")
    found = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    return tuple(
        Migration(version=int(entry.name.split("_")[0]), name=entry.name, statement=entry.read_text(encoding="utf-8"))
        for entry in found
    )


def needed_version() -> int:
    """The schema version this version of the service needs."""
    return migrations()[-1].version


def migrate(url: str) -> list[str]:
    """Apply the steps that are missing. Returns the names of those applied by this call; none if it was up to date.

    Raises:
        StoreUnavailable: the database cannot be reached, or takes no writes.
    """
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            _step(connection, _LEDGER, None)
            return [step.name for step in migrations() if _step(connection, step.statement, step)]
    except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction) as error:
        raise StoreUnavailable(f"The database cannot be reached for migration; check DATABASE_URL: {error}") from error


def _step(connection: psycopg.Connection, statement: str, step: Migration | None) -> bool:
    """True if this call applied the step."""
    for tries_left in reversed(range(_TRIES)):
        try:
            with connection.transaction():
                if step is not None and _recorded(connection, step):
                    return False
                connection.execute(statement.encode())
                if step is not None:
                    _record(connection, step)
        except _RACED:
            if not tries_left:
                raise
            continue
        _log.info("migration_applied", extra={"migration": step.name if step else "schema_migrations"})
        return True
    raise AssertionError("unreachable")  # the loop returns or raises


def _recorded(connection: psycopg.Connection, step: Migration) -> bool:
    found = connection.execute("SELECT 1 FROM schema_migrations WHERE version = %s", (step.version,))
    return found.fetchone() is not None


def _record(connection: psycopg.Connection, step: Migration) -> None:
    connection.execute("INSERT INTO schema_migrations (version, name) VALUES (%s, %s)", (step.version, step.name))
