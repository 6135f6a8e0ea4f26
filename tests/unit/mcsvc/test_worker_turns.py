"""Whose job a worker runs next: one in four by age alone, the others by what made them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event

import pytest

from mcsvc.adapters.memory.clock import ManualClock
from mcsvc.adapters.memory.job_store import MemoryJobStore
from mcsvc.domain.job import Job, OwnerId, Term, Trigger, term_of
from mcsvc.entrypoints.worker import WorkerPool, WorkerSettings
from mcsvc.ports.job_store import JobFilter, JobStore
from tests.job_bench import FlakyStore
from tests.job_samples import new_job

WAIT = timedelta(seconds=30)
API, EVENT, SWEEP = Trigger.API, Trigger.ASSESSMENT_COMPLETED, Trigger.SCHEDULE


@dataclass(kw_only=True)
class Queue:
    """A queue, and what workers took of it in order. Each turn of theirs ends before the next begins."""

    clock: ManualClock = field(default_factory=ManualClock)
    ran: list[Trigger] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store: JobStore = MemoryJobStore(self.clock)

    def put(self, trigger: Trigger, *, count: int = 1) -> None:
        """Jobs that are due for less long than all before them."""
        for _ in range(count):
            self.clock.advance(timedelta(seconds=1))
            self.store.create(new_job(trigger=trigger))

    def pool(self, *, threads: int = 1) -> WorkerPool:
        """A worker that is done with each job at once."""

        def run_job(job: Job, halt: Event, stopping: Event) -> bool:
            self.ran.append(job.trigger)
            return True

        return WorkerPool(
            store=self.store,
            lease_store=self.store,
            run_job=run_job,
            rescue=lambda: 0,
            relay=lambda: 0,
            settings=WorkerSettings(threads=threads),
        )

    def turn(self, pool: WorkerPool) -> list[Trigger]:
        """What the worker runs in one turn."""
        before = len(self.ran)
        pool.claim_once()
        assert pool.wait_idle(within=WAIT)
        return self.ran[before:]


@pytest.mark.parametrize("done", range(8))
def test_a_persons_job_behind_a_thousand_of_a_sweep_is_the_next_or_the_one_after(done: int) -> None:
    queue = Queue()
    pool = queue.pool()
    queue.put(SWEEP, count=1_000)
    for _ in range(done):
        queue.turn(pool)
    queue.put(API)
    by_age = done % 4 == 0
    assert queue.turn(pool) + queue.turn(pool) == ([SWEEP, API] if by_age else [API, SWEEP])


def test_an_events_job_goes_before_a_sweep_and_after_a_call() -> None:
    queue = Queue()
    pool = queue.pool()
    for trigger in (SWEEP, SWEEP, EVENT, API):
        queue.put(trigger)
    assert [queue.turn(pool) for _ in range(4)] == [[SWEEP], [API], [EVENT], [SWEEP]]


@pytest.mark.parametrize("threads", [1, 2, 3, 5, 8])
def test_a_flood_of_calls_does_not_stop_a_sweep(threads: int) -> None:
    queue = Queue()
    pool = queue.pool(threads=threads)
    queue.put(SWEEP, count=10)
    queue.put(EVENT, count=10)
    queue.put(API, count=100)
    while len(queue.ran) < 80:
        queue.turn(pool)
        queue.put(API, count=threads)
    assert (queue.ran.count(SWEEP), queue.ran.count(EVENT)) == (10, 10)
    assert queue.ran.count(API) >= 60


def test_each_of_several_workers_keeps_a_turn_of_its_own() -> None:
    queue = Queue()
    pools = [queue.pool() for _ in range(3)]
    queue.put(SWEEP, count=20)
    queue.put(API, count=100)
    for _ in range(20):
        for pool in pools:
            queue.turn(pool)
    assert (queue.ran.count(SWEEP), queue.ran.count(API)) == (15, 45)


def test_workers_that_live_for_a_single_job_stop_no_sweep() -> None:
    queue = Queue()
    queue.put(SWEEP)
    queue.put(API, count=9)
    assert queue.turn(queue.pool()) == [SWEEP]


def test_a_worker_with_several_free_threads_fills_them_by_both() -> None:
    queue = Queue()
    pool = queue.pool(threads=4)
    queue.put(SWEEP, count=9)
    queue.put(API, count=2)
    assert sorted(queue.turn(pool), key=lambda trigger: trigger.rank) == [API, API, SWEEP, SWEEP]
    assert len(queue.store.find(JobFilter(), limit=99)) == 11
    assert queue.turn(pool) == [SWEEP] * 4


def test_an_empty_queue_is_asked_once_a_turn() -> None:
    queue = Queue()
    queue.store = (asked := FlakyStore(queue.store, nth=-1, after=False)).as_store()
    queue.turn(queue.pool(threads=4))
    assert asked.calls == 1


class _StoppedMeanwhile:
    """A store whose first claim is answered only when its worker has been stopped; each claim it was asked for."""

    def __init__(self, store: JobStore) -> None:
        self.store, self.terms = store, list[Term]()
        self.stop: Callable[[], None] = lambda: None

    def claim_longest_due(self, owner: OwnerId, *, limit: int, lease: timedelta) -> list[Job]:
        claimed = self.store.claim_longest_due(owner, limit=limit, lease=lease)
        self.stop()
        return self._noted(claimed)

    def claim_next(self, owner: OwnerId, *, limit: int, lease: timedelta) -> list[Job]:
        return self._noted(self.store.claim_next(owner, limit=limit, lease=lease))

    def _noted(self, claimed: list[Job]) -> list[Job]:
        self.terms += map(term_of, claimed)
        return claimed

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)


def test_a_worker_that_is_stopped_while_it_claims_claims_nothing_that_it_hands_back() -> None:
    """Else two runs would have equal terms."""
    store = _StoppedMeanwhile(MemoryJobStore(ManualClock()))
    store.store.create(new_job(trigger=SWEEP))

    def run_job(job: Job, halt: Event, stopping: Event) -> bool:
        assert halt.wait(WAIT.total_seconds())
        store.store.hand_back(term_of(job))
        return False

    pool = WorkerPool(
        store=store,  # type: ignore[arg-type]
        lease_store=store.store,
        run_job=run_job,
        rescue=lambda: 0,
        relay=lambda: 0,
        settings=WorkerSettings(threads=2),
    )
    store.stop = pool._stopping.set
    pool.claim_once()
    assert pool.wait_idle(within=WAIT)
    assert len(store.terms) == 1
