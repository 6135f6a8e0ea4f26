"""What the ingress asks of the workers, which are made up here; tests/integration/simulator has real ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import result_pb2
from simulator import many
from simulator.serve.chunks import BatchDone, BatchTask
from simulator.serve.settings import Settings
from simulator.serve.usual import usual_input
from tests.unit.simulator.serve.made_up import Busy

if TYPE_CHECKING:
    from simulator.serve.ingress import Ingress

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own, when it is first imported

WORKERS = 2


class Workers(Busy):
    """As a handle of the worker deployment; there are only calls of `run_batch`, and each simulates."""

    def __init__(self, *, losses: int = 0) -> None:
        super().__init__(losses=losses, hang=False)
        self.asked: list[BatchTask] = []

    @property
    def run_batch(self) -> Workers:
        return self

    async def remote(self, task: BatchTask) -> BatchDone:
        self.asked.append(task)
        await self.work()
        answered = many.answered(task.inputs, first=task.first, with_fan=task.with_fan, threads=1)
        return BatchDone(responses=answered.responses, seconds=0.1)


class Call:
    """A caller's context, as far as a call that is not refused uses it."""

    def invocation_metadata(self) -> list[tuple[str, str]]:
        return []


def simulated(workers: Any, seeds: range) -> list[result_pb2.SimulationResult]:
    """The results of small calls made at the same time. What they hear before is progress, if it takes so long."""

    async def one(ingress: Ingress, seed: int) -> result_pb2.SimulationResult:
        request = engine_pb2.SimulateRequest(input=usual_input(50))
        request.input.settings.seed = seed
        *_, last = [response async for response in ingress.Simulate(request, Call())]  # type: ignore[arg-type]
        return last.result

    async def all_of_them() -> list[result_pb2.SimulationResult]:
        from simulator.serve.ingress import Ingress

        ingress = Ingress(workers, Settings(min_workers=WORKERS, max_workers=WORKERS))
        return await asyncio.gather(*(one(ingress, seed) for seed in seeds))

    return asyncio.run(all_of_them())


def test_a_small_simulation_is_one_call_to_a_worker_with_its_fan() -> None:
    workers = Workers()
    [found] = simulated(workers, range(1))
    [task] = workers.asked
    assert task.with_fan
    assert found.HasField("equity_fan")


def test_those_of_all_callers_take_turns_two_a_worker() -> None:
    workers = Workers()
    assert [found.seed for found in simulated(workers, range(20))] == list(range(20))
    assert workers.most_at_a_time == 2 * WORKERS


def test_one_whose_worker_is_lost_is_run_again() -> None:
    workers = Workers(losses=2)
    [found] = simulated(workers, range(1))
    assert found.paths == 50
    assert len(workers.asked) == 3
