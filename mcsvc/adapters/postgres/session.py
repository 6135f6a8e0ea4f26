"""Connections and transactions: pooled, run again on a serialization failure, errors in the service's own terms.

Only an error that the data of a statement may be the cause of goes through as it is. Any other is the database's, also
where it is not called operational (read-only after a failover, corrupt, without its tables or our rights on them): it
counts as away, and the connection is not used again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from mcsvc.domain.errors import StoreUnavailable

T = TypeVar("T")

_AGAIN = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
_OF_THE_DATA = (psycopg.DataError, psycopg.IntegrityError)
_TRIES = 12
_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.5
_SERVER_LIMITS = "-c timezone=UTC -c statement_timeout=15000 -c idle_in_transaction_session_timeout=15000"
_CONNECT_S = 5
_ANSWER_S = 20.0  # longer than the server's own limits, whose errors say more


class Connection(psycopg.Connection[DictRow]):
    """A connection that gives up on a silent server, on which psycopg would wait for ever, and is closed then."""

    answer_within_s: float = _ANSWER_S

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        """See psycopg. Raises psycopg.OperationalError once the time is up."""
        return super().wait(self._in_time(gen), *args, **kwargs)

    def _in_time(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        give_up_at = time.monotonic() + self.answer_within_s
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted  # the events that have come; now and then none, so that others get a turn
                if not ready and time.monotonic() >= give_up_at:
                    self.close()  # what the server made of the statement is unknown
                    raise psycopg.OperationalError(f"no answer within {self.answer_within_s:g} s")
                wanted = gen.send(ready)
        except StopIteration as done:
            answer: T = done.value
            return answer


def open_pool(url: str, *, size: int, wait: timedelta = timedelta(seconds=5)) -> ConnectionPool[Connection]:
    """A pool of up to `size` connections. Does not connect yet: the database may come up later.

    `wait` bounds how long a caller waits for a connection that answers before StoreUnavailable.
    """

    def check(connection: Connection) -> None:
        connection.answer_within_s = wait.total_seconds()
        ConnectionPool.check_connection(connection)
        connection.answer_within_s = _ANSWER_S

    kwargs: dict[str, Any] = {"autocommit": True, "row_factory": dict_row, "connect_timeout": _CONNECT_S}
    if "options" not in conninfo_to_dict(url):
        kwargs["options"] = _SERVER_LIMITS
    return ConnectionPool(
        url,
        connection_class=Connection,
        kwargs=kwargs,
        min_size=1,
        max_size=size,
        timeout=wait.total_seconds(),
        check=check,
        open=True,
        name="mcsvc",
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Runs work in transactions, taking a connection from the pool for each."""

    pool: ConnectionPool[Connection]

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction. It may run several times, so it must touch nothing but the database.

        Raises:
            StoreUnavailable: no connection, it broke, or the server fails. The transaction took place wholly or not.
        """

        def once() -> T:
            with self._connected() as connection, connection.transaction():
                return work(connection)

        return _run(once)

    def run_or_say_why(self, work: Callable[[Connection], T]) -> T:
        """As `run`; where no connection comes it tells in the server's own words why, which a pool does not know."""
        try:
            return self.run(work)
        except StoreUnavailable as error:
            if isinstance(error.__cause__, PoolTimeout):
                _run(lambda: psycopg.connect(str(self.pool.conninfo), connect_timeout=_CONNECT_S).close())
            raise

    def ask(self, statement: bytes, params: dict[str, Any]) -> list[DictRow]:
        """The rows of one statement, which is a transaction by itself: fewer round trips. Raises as `transact`."""
        return self.run(lambda connection: connection.execute(statement, params).fetchall())

    def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work`, each of whose statements is a transaction by itself. Raises as `transact`."""

        def once() -> T:
            with self._connected() as connection:
                return work(connection)

        return _run(once)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection of the pool; one that the server has let down is closed, so that the pool makes another."""
        with self.pool.connection() as connection:
            try:
                yield connection
            except psycopg.Error as error:
                if not isinstance(error, _AGAIN) and _of_the_database(error):
                    connection.close()
                raise


def _run(once: Callable[[], T]) -> T:
    for tries_left in reversed(range(_TRIES)):
        try:
            return once()
        except _AGAIN as error:
            if not tries_left:
                raise StoreUnavailable(f"Too much contention in the database: {error}") from error
            _pause(_TRIES - tries_left)
        except psycopg.Error as error:
            if not _of_the_database(error):
                raise
            raise StoreUnavailable(f"The database cannot be reached, broke off or cannot be used: {error}") from error
    raise AssertionError("unreachable")  # the loop returns or raises


def _of_the_database(error: psycopg.Error) -> bool:
    """False if the data may be the cause: a programming error without an SQLSTATE is one of psycopg's own checks."""
    unsent = isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None
    return not unsent and not isinstance(error, _OF_THE_DATA)


def _pause(tries: int) -> None:
    longest = min(_FIRST_PAUSE_S * 2**tries, _LONGEST_PAUSE_S)
    time.sleep(random.uniform(0, longest))  # noqa: S311 — spreads retries; nothing secret
