"""The orchestrator over fakes: it claims, runs, renews, halts, and stops with grace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Event, Semaphore, Thread
from typing import Any

import pytest

from mcsvc.adapters.clock import SystemClock
from mcsvc.adapters.memory.core_service import MemoryCoreService
from mcsvc.adapters.memory.events import MemoryPublisher
from mcsvc.adapters.memory.job_store import MemoryJobStore
from mcsvc.adapters.memory.simulator import Hang, ScriptedSimulator, fails_with
from mcsvc.app.relay_events import RelayEvents
from mcsvc.app.rescue_jobs import RescueJobs
from mcsvc.app.run_job import RunJob
from mcsvc.app.run_policy import RunPolicy
from mcsvc.domain.errors import EngineUnavailable, StoreUnavailable
from mcsvc.domain.job import Job, State, term_of
from mcsvc.ending import together
from mcsvc.entrypoints import worker
from mcsvc.entrypoints.lease_keeper import LeaseKeeper
from mcsvc.entrypoints.loop import Loop
from mcsvc.entrypoints.worker import WorkerPool, WorkerSettings
from mcsvc.ports.job_store import JobFilter
from tests.job_bench import Bench
from tests.job_samples import ASSESSMENT, LEASE, NO_LEASE, RECORD, TRADES, new_job

WAIT = timedelta(seconds=10)
TICK = timedelta(milliseconds=10)
QUICK = WorkerSettings(
    threads=2,
    lease=LEASE,
    renew_every=TICK,
    poll_every=TICK,
    rescue_every=TICK,
    relay_every=TICK,
    grace=timedelta(0),
    halt_within=WAIT,
)
POLICY = RunPolicy(backoff_base=timedelta(0), store_retry_every=TICK)


@dataclass(kw_only=True)
class Works:
    """One worker over fakes, with real time and threads."""

    settings: WorkerSettings = QUICK
    simulator: ScriptedSimulator = field(default_factory=ScriptedSimulator)
    publisher: MemoryPublisher = field(default_factory=MemoryPublisher)

    def __post_init__(self) -> None:
        clock, core = SystemClock(), MemoryCoreService()
        core.put(ASSESSMENT, RECORD, TRADES)
        self.store = MemoryJobStore(clock)
        self.pool = WorkerPool(
            store=self.store,
            lease_store=self.store,
            run_job=RunJob(store=self.store, core=core, simulator=self.simulator, clock=clock, policy=POLICY),
            rescue=RescueJobs(store=self.store, policy=POLICY),
            relay=RelayEvents(store=self.store, publisher=self.publisher),
            settings=self.settings,
        )

    def jobs(self, count: int) -> list[Job]:
        return [self.store.create(new_job())[0] for _ in range(count)]


def pool_of(works: Works, **parts: Any) -> WorkerPool:
    """A pool that does nothing but with these parts."""
    idle = {"run_job": lambda job, halt, stopping: None, "rescue": lambda: 0, "relay": lambda: 0}
    return WorkerPool(store=works.store, lease_store=works.store, **(idle | parts))


@contextmanager
def running(works: Works) -> Iterator[WorkerPool]:
    works.pool.start()
    try:
        yield works.pool
    finally:
        works.pool.stop()


def test_jobs_are_claimed_run_and_their_events_sent() -> None:
    works = Works()
    jobs = works.jobs(5)
    with running(works) as pool:
        assert works.publisher.wait_for(5, timeout=WAIT)
        assert pool.alive()
    assert {works.store.get(job.id).state for job in jobs} == {State.SUCCEEDED}
    assert {event.key for event in works.publisher.sent()} == {str(job.id) for job in jobs}
    assert not pool.alive()


def test_no_more_jobs_run_at_once_than_there_are_threads() -> None:
    works = Works()
    works.jobs(3)
    hangs = [Hang(), Hang()]
    works.simulator.scripts = [[hang] for hang in hangs]
    works.pool.claim_once()
    works.pool.claim_once()
    assert all(hang.begun.wait(WAIT.total_seconds()) for hang in hangs)
    assert works.pool.running() == 2
    assert sum(job.state is State.PENDING for job in works.store.find(JobFilter(), limit=9)) == 1
    assert works.pool.stop()


def test_in_an_outage_jobs_are_tried_at_the_pace_of_the_polls_and_none_is_lost() -> None:
    turn = timedelta(seconds=1)
    works = Works(settings=replace(QUICK, threads=1, poll_every=turn))
    jobs = works.jobs(3)
    works.simulator.scripts = fails_with(EngineUnavailable("away", away=True))
    with running(works) as pool:
        assert works.publisher.wait_for(3, timeout=WAIT)
        assert pool.alive()
    found = [works.store.get(job.id) for job in jobs]
    assert {job.state for job in found} == {State.SUCCEEDED}
    [put_off] = [job for job in found if job.attempt == 2]
    [first, *_] = sorted(job.start_time for job in found if job.attempt == 1 and job.start_time)
    assert first - put_off.create_time >= turn * 0.8


def test_a_cancelled_job_is_stopped_in_the_engine() -> None:
    works = Works()
    (job,) = works.jobs(1)
    hang = Hang()
    works.simulator.scripts = [[hang]]
    with running(works) as pool:
        assert hang.begun.wait(WAIT.total_seconds())
        works.store.cancel(job.id)
        assert pool.wait_idle(within=WAIT)
    assert works.simulator.stopped == 1
    assert works.store.get(job.id).state is State.CANCELLED
    assert works.publisher.sent() == []


def test_a_worker_told_to_stop_hands_back_what_does_not_finish_in_its_grace() -> None:
    works = Works()
    (job,) = works.jobs(1)
    hang = Hang()
    works.simulator.scripts = [[hang]]
    works.pool.start()
    assert hang.begun.wait(WAIT.total_seconds())
    assert works.pool.stop()
    back = works.store.get(job.id)
    assert (back.state, back.attempt) == (State.PENDING, 0)
    assert works.pool.running() == 0


def test_a_worker_told_to_stop_lets_runs_finish_in_its_grace_and_sends_their_events() -> None:
    works = Works(settings=replace(QUICK, grace=WAIT, relay_every=timedelta(hours=1)))
    works.jobs(1)
    works.pool.claim_once()
    assert works.pool.stop()
    assert len(works.publisher.sent()) == 1


def test_a_run_left_behind_is_reported() -> None:
    stuck, freed = Event(), Event()

    def run_forever(job: Job, halt: Event, stopping: Event) -> None:
        stuck.set()
        freed.wait(WAIT.total_seconds())

    works = Works()
    works.jobs(1)
    pool = pool_of(works, run_job=run_forever, settings=replace(QUICK, halt_within=timedelta(0)))
    pool.claim_once()
    assert stuck.wait(WAIT.total_seconds())
    assert not pool.stop()
    freed.set()
    assert pool.wait_idle(within=WAIT)


def test_a_sending_that_does_not_end_is_left_behind_and_not_begun_again() -> None:
    begun, never = Semaphore(0), Event()

    def relay() -> int:
        begun.release()
        never.wait()
        return 0

    works = Works()
    pool = pool_of(works, relay=relay, settings=replace(QUICK, halt_within=TICK))
    pool.start()
    assert begun.acquire(timeout=WAIT.total_seconds())
    try:
        assert together({"pool": pool.stop}, within=WAIT), "the stop waits for the sending"
        assert not begun.acquire(blocking=False), "another sending was begun"
    finally:
        never.set()


class NoThread(Thread):
    """What Python raises where the system gives no further thread."""

    def start(self) -> None:
        raise RuntimeError("can't start new thread")


def test_jobs_whose_threads_cannot_be_started_are_put_off_and_run_later(monkeypatch: pytest.MonkeyPatch) -> None:
    works = Works(settings=replace(QUICK, rescue_every=timedelta(0), grace=WAIT))
    jobs = works.jobs(2)
    with monkeypatch.context() as patch:
        patch.setattr(worker, "Thread", NoThread)
        works.pool.claim_once()
    assert works.pool.running() == 0
    for job in jobs:
        put_off = works.store.get(job.id)
        assert (put_off.state, put_off.attempt, put_off.max_attempts) == (State.PENDING, 1, 4)
        assert put_off.failure is not None
        assert put_off.failure.code == "WORKER_EXHAUSTED"
    works.pool.claim_once()
    assert works.pool.stop()
    assert {works.store.get(job.id).state for job in jobs} == {State.SUCCEEDED}


def test_a_job_that_can_be_neither_started_nor_put_off_is_left_to_the_rescue(monkeypatch: pytest.MonkeyPatch) -> None:
    works = Works(settings=replace(QUICK, lease=NO_LEASE))
    jobs = works.jobs(2)
    monkeypatch.setattr(worker, "Thread", NoThread)
    works.store.faults = [
        None,
        None,
        *[StoreUnavailable("away")] * 2,
    ]  # two claims, then what is put off
    works.pool.claim_once()
    assert works.pool.running() == 0
    assert {job.id for job in works.store.expired(limit=9)} == {job.id for job in jobs}


def test_a_dead_workers_job_is_rescued_and_finished_by_another() -> None:
    works = Works()
    (job,) = works.jobs(1)
    works.store.claim_next(works.pool.owner, limit=1, lease=NO_LEASE)
    with running(works):
        assert works.publisher.wait_for(1, timeout=WAIT)
    done = works.store.get(job.id)
    assert (done.state, done.attempt) == (State.SUCCEEDED, 2)


def test_the_keeper_renews_what_is_held_and_halts_only_what_is_lost() -> None:
    bench = Bench()
    kept, lost = bench.claimed(lease=NO_LEASE), bench.claimed(lease=NO_LEASE)
    keeper = LeaseKeeper(bench.memory, lease=LEASE)
    halts = {job.id: keeper.hold(term_of(job)) for job in (kept, lost)}
    bench.memory.cancel(lost.id)
    keeper.run_once()
    assert (halts[kept.id].is_set(), halts[lost.id].is_set()) == (False, True)
    assert bench.memory.expired(limit=10) == []


def test_the_keeper_halts_nothing_while_the_store_is_away() -> None:
    bench = Bench()
    job = bench.claimed()
    keeper = LeaseKeeper(bench.memory, lease=LEASE)
    halt = keeper.hold(term_of(job))
    bench.memory.faults = [StoreUnavailable("away")]
    with pytest.raises(StoreUnavailable):
        keeper.run_once()
    assert not halt.is_set()


def test_the_keeper_no_longer_renews_a_run_that_is_over() -> None:
    bench = Bench()
    job = bench.claimed(lease=NO_LEASE)
    keeper = LeaseKeeper(bench.memory, lease=LEASE)
    keeper.hold(term_of(job))
    keeper.release(term_of(job))
    keeper.run_once()
    assert bench.memory.expired(limit=10) == [job]


@pytest.mark.parametrize("error", [StoreUnavailable("away"), ZeroDivisionError("bug")])
def test_a_loop_survives_what_its_turns_raise(error: Exception) -> None:
    turns: list[int] = []
    third = Event()

    def turn() -> bool:
        turns.append(1)
        if len(turns) == 3:
            third.set()
        raise error

    with looping(turn, every=TICK):
        assert third.wait(WAIT.total_seconds())


def test_a_loop_with_more_to_do_does_not_wait_between_turns() -> None:
    turns: list[int] = []
    last = Event()

    def turn() -> bool:
        turns.append(1)
        if len(turns) == 3:
            last.set()
        return len(turns) < 3

    with looping(turn, every=timedelta(hours=1)):
        assert last.wait(WAIT.total_seconds())


def test_a_loop_that_is_woken_takes_its_turn_at_once() -> None:
    turned = Event()

    def turn() -> bool:
        turned.set()
        return False

    with looping(turn, every=timedelta(hours=1)) as loop:
        assert turned.wait(WAIT.total_seconds())
        turned.clear()
        loop.wake()
        assert turned.wait(WAIT.total_seconds())


@contextmanager
def looping(turn: Callable[[], bool], *, every: timedelta) -> Iterator[Loop]:
    loop = Loop("test", turn, every=every)
    loop.start()
    try:
        yield loop
    finally:
        assert loop.stop(within=WAIT)


def test_what_is_old_is_forgotten_again_and_again() -> None:
    forgot = Semaphore(0)

    def forget() -> int:
        forgot.release()
        return 0

    works = Works()
    pool = pool_of(works, forget=forget, settings=replace(QUICK, forget_every=TICK))
    pool.start()
    try:
        assert all(forgot.acquire(timeout=WAIT.total_seconds()) for _ in range(3))
    finally:
        pool.stop()
