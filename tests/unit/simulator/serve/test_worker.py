"""A chunk whose call was cancelled ends with the paths that run, whatever its section and however large a unit is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol

import pytest

from simulator import launching, many
from simulator.device import Device, Running, Stretch
from simulator.helper_process import HelperLost
from simulator.many import Answered
from simulator.planning import Plan
from simulator.sections import Section
from simulator.serve import settings as sizes
from simulator.serve import telemetry, warmup
from simulator.serve.chunks import BatchDone, BatchTask, ChunkTask
from simulator.serve.worker import Worker
from simulator.spec import DrawdownKind, EstimationRisk, MaxDrawdown, Rules, Scenario, Settings
from simulator.tally import Outcome
from tests.unit.simulator.samples import START, plan_of

BLOCK = 512
BLOCKS = 400
FLOOR = Rules(starting_balance_minor=START, max_drawdown=MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=600))
SCENARIOS = (Scenario(name="tight", limits_factor=0.5),)


def a_plan(**settings: object) -> Plan:
    """With much to do in each section."""
    wanted = replace(Settings(paths=BLOCKS * BLOCK, seed=7, horizon_days=30), **settings)
    return replace(plan_of(wanted, rules=FLOOR), block_paths=BLOCK, blocks=BLOCKS, fan_paths=BLOCK)


def a_worker() -> Worker:
    worker: Worker = object.__new__(Worker)  # without what it does to the process that it lives in
    worker._threads, worker._one_core, worker._paced = 1, True, (("one", Section.PATHS), BLOCKS)
    return worker


def a_task(section: Section, *, first: int = 0, count: int = BLOCKS) -> ChunkTask:
    return ChunkTask(simulation="one", plan=(None,), section=section, first=first, count=count, budget_s=60.0)


@pytest.mark.parametrize(
    ("task", "plan"),
    [
        pytest.param(a_task(Section.PATHS), a_plan(), id="paths"),
        pytest.param(a_task(Section.PATHS), a_plan(scenarios=SCENARIOS), id="scenarios"),
        pytest.param(
            a_task(Section.HISTORIES),
            a_plan(estimation_risk=EstimationRisk(histories=BLOCKS, paths=BLOCK)),
            id="histories",
        ),
        pytest.param(a_task(Section.RARE, first=Outcome.BREACHED_MAX_DRAWDOWN, count=1), a_plan(), id="rare"),
    ],
)
def test_what_runs_is_all_that_still_ends(monkeypatch: pytest.MonkeyPatch, task: ChunkTask, plan: Plan) -> None:
    run, ran, stop = Device.run, list[Stretch](), threading.Event()

    def stopped_soon(device: Device, stretch: Stretch) -> Running:
        ran.append(stretch)
        if len(ran) == 10:
            stop.set()
        return run(device, stretch)

    monkeypatch.setattr(Device, "run", stopped_soon)

    done, _, _ = a_worker()._compute(plan, task, stop)

    assert done < task.count
    assert 10 <= len(ran) < 10 + launching.TOLD


WITHIN_S = 10.0


class Simulating(Protocol):
    """As `many.answered` and `Helpers.simulate`."""

    def __call__(self, inputs: Sequence[bytes], *, stop: Callable[[], bool], **_: Any) -> Answered: ...


class Hands:
    """Who simulates, the worker's own threads or a helper: each account until it is told that it is done."""

    def __init__(self) -> None:
        self.began = list[tuple[str, bytes]]()
        self.done = threading.Event()
        self.with_fan = list[bool]()
        self.threads = list[int]()
        self._changed = threading.Condition()

    def of(self, who: str) -> Simulating:
        def simulate(
            inputs: Sequence[bytes], *, stop: Callable[[], bool], with_fan: bool, threads: int = 0, **_: Any
        ) -> Answered:
            with self._changed:
                self.began += [(who, each) for each in inputs]
                self.with_fan.append(with_fan)
                self.threads.append(threads)
                self._changed.notify_all()
            while not stop() and not self.done.wait(0.01):
                pass
            return Answered(responses=tuple(inputs), accounts=len(inputs), path_steps=1)

        return simulate

    async def have(self, count: int) -> None:
        """Until so many accounts have been begun."""

        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(lambda: len(self.began) >= count, WITHIN_S)

        assert await asyncio.to_thread(wait)


class MadeUpHelpers:
    """Two of them."""

    def __init__(self, hands: Hands, *, lost: bool = False) -> None:
        self.simulate = hands.of("helper")
        self._lost = lost

    def are_for(self, accounts: int) -> bool:
        return accounts >= 2

    def start(self) -> None:
        if self._lost:
            raise HelperLost

    def close(self) -> None:
        """There is nothing to end."""


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    found = Hands()
    monkeypatch.setattr(many, "answered", found.of("threads"))
    monkeypatch.setattr(warmup, "compile_other_shapes", lambda _: None)
    return found


def with_helpers(hands: Hands, *, lost: bool = False, cores: int = 2) -> Worker:
    worker = a_worker()
    worker._helpers, worker._has_helpers = MadeUpHelpers(hands, lost=lost), False  # type: ignore[assignment]
    worker._lane, worker._beside = ThreadPoolExecutor(1), ThreadPoolExecutor(2)
    worker._running = set[Future[Any]]()
    worker._telemetry = telemetry.start("worker")
    worker._prepare(sizes.Settings(worker_cpus=cores))
    return worker


def small(name: bytes) -> BatchTask:
    return BatchTask(first=0, inputs=(name,), small=True)


async def under_way(worker: Worker, hands: Hands, *tasks: BatchTask) -> list[asyncio.Task[BatchDone]]:
    """Each begun once those before it have been."""
    found, accounts = [], len(hands.began)
    for task in tasks:
        found.append(asyncio.create_task(worker.run_batch(task)))
        accounts += len(task.inputs)
        await hands.have(accounts)
    return found


def test_a_small_simulation_has_the_threads_alone_and_a_helper_beside_others(hands: Hands) -> None:
    async def calls() -> None:
        worker = with_helpers(hands)
        first = await under_way(worker, hands, small(b"1"), small(b"2"), small(b"3"))
        hands.done.set()
        await asyncio.gather(*first)
        await asyncio.gather(*await under_way(worker, hands, small(b"4")))

    asyncio.run(calls())
    assert hands.began == [("threads", b"1"), ("helper", b"2"), ("helper", b"3"), ("threads", b"4")]
    assert hands.with_fan == [True] * 4


def test_it_has_a_helper_beside_a_chunk_and_beside_a_batch(hands: Hands) -> None:
    async def calls() -> None:
        worker = with_helpers(hands)
        worker._running.add(Future())  # as of a chunk
        batch = BatchTask(first=0, inputs=(b"1", b"2"))
        found = await under_way(worker, hands, small(b"0"), batch, small(b"3"))
        hands.done.set()
        await asyncio.gather(*found)

    asyncio.run(calls())
    assert {who for who, _ in hands.began} == {"helper"}
    assert hands.with_fan == [True, False, True]


@pytest.mark.parametrize("how", [{"cores": 1}, {"lost": True}])
def test_without_helpers_they_take_turns(hands: Hands, how: dict[str, Any]) -> None:
    async def calls() -> None:
        worker = with_helpers(hands, **how)
        first, *_ = await under_way(worker, hands, small(b"1"))
        second = asyncio.create_task(worker.run_batch(small(b"2")))
        await asyncio.sleep(0)
        assert len(worker._running) == 2
        assert len(hands.began) == 1
        hands.done.set()
        await asyncio.gather(first, second)

    asyncio.run(calls())
    assert hands.began == [("threads", b"1"), ("threads", b"2")]


def test_what_is_cancelled_counts_until_it_has_stopped(hands: Hands) -> None:
    async def calls() -> None:
        worker = with_helpers(hands)
        first, second = await under_way(worker, hands, small(b"1"), small(b"2"))
        running = list(worker._running)
        for call in (first, second):
            call.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        await asyncio.gather(*map(asyncio.wrap_future, running), return_exceptions=True)
        assert all(each.done() for each in running)
        assert worker._running == set()

    asyncio.run(calls())


@pytest.mark.parametrize(("accounts", "threads"), [(1, 1), (5, 0)])
def test_a_worker_of_one_core_has_the_accounts_of_a_batch_in_turn(hands: Hands, accounts: int, threads: int) -> None:
    async def calls() -> None:
        worker = with_helpers(hands, cores=1)
        worker._helpers.are_for = lambda _: False  # type: ignore[method-assign]
        hands.done.set()
        await worker.run_batch(BatchTask(first=0, inputs=(b"1",) * accounts))

    asyncio.run(calls())
    assert hands.threads == [threads]
