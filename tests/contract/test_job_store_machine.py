"""Random histories against both job stores (see `job_store_machine`)."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from mcsvc.adapters.memory.clock import ManualClock
from mcsvc.adapters.memory.job_store import MemoryJobStore
from mcsvc.adapters.postgres.store import PostgresJobStore
from mcsvc.ports.job_store import JobStore
from tests.contract.job_store_machine import JobStoreMachine


def run_histories(empty_store: Callable[[], JobStore]) -> None:
    class Machine(JobStoreMachine):
        def __init__(self) -> None:
            super().__init__(empty_store)

    run_state_machine_as_test(Machine, settings=settings(stateful_step_count=30))


def test_the_store_in_memory_keeps_its_promises_in_random_histories() -> None:
    run_histories(lambda: MemoryJobStore(ManualClock()))


def test_postgres_keeps_its_promises_in_random_histories(postgres_store: PostgresJobStore) -> None:
    def empty_store() -> JobStore:
        postgres_store.session.transact(lambda c: c.execute(b"TRUNCATE jobs, outbox CASCADE"))
        return postgres_store

    run_histories(empty_store)
