"""What the ingress asks of the workers, which are made up here; tests/integration/simulator has real ones."""

from __future__ import annotations

import asyncio
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import result_pb2
from simulator import many, sections
from simulator.launching import Launcher
from simulator.planning import BLOCK_PATHS
from simulator.serve.chunks import BatchDone, BatchTask, ChunkDone, ChunkTask
from simulator.serve.settings import Settings
from simulator.serve.small import is_small
from simulator.serve.usual import usual_input
from tests.unit.simulator.serve.made_up import Busy

if TYPE_CHECKING:
    from simulator.serve.ingress import Ingress

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own, when it is first imported

WORKERS = 2


class Workers(Busy):
    """As a handle of the worker deployment: each call simulates."""

    def __init__(self, *, losses: int = 0, together: int = 0) -> None:
        super().__init__(losses=losses, hang=False, together=together)
        self.asked: list[BatchTask | ChunkTask] = []

    @property
    def run_batch(self) -> Workers:
        return self

    @property
    def run_chunk(self) -> Workers:
        return self

    async def remote(self, task: BatchTask | ChunkTask) -> BatchDone | ChunkDone:
        self.asked.append(task)
        await self.work()
        if isinstance(task, ChunkTask):
            assert isinstance(task.plan, bytes)
            with Launcher(1) as launcher:
                found = sections.run(pickle.loads(task.plan), task.section, task.first, task.count, launcher)
            return ChunkDone(count=task.count, found=found.to_bytes(), seconds=0.1)
        answered = many.answered(task.inputs, first=task.first, with_fan=task.small, threads=1)
        return BatchDone(responses=answered.responses, seconds=0.1)


class Call:
    """A caller's context, as far as a call that is not refused uses it."""

    def invocation_metadata(self) -> list[tuple[str, str]]:
        return []


def simulated(workers: Any, seeds: range, *, cores: int = 1, large: bool = False) -> list[result_pb2.SimulationResult]:
    """The results of calls made at the same time. What they hear before is progress, if it takes so long."""

    async def one(ingress: Ingress, seed: int) -> result_pb2.SimulationResult:
        request = engine_pb2.SimulateRequest(input=usual_input(50))
        request.input.settings.seed = seed
        if large:
            request.input.settings.paths = 4 * BLOCK_PATHS
            request.input.settings.time_budget_s = 3_600
        assert is_small(request) != large
        *_, last = [response async for response in ingress.Simulate(request, Call())]  # type: ignore[arg-type]
        return last.result

    async def all_of_them() -> list[result_pb2.SimulationResult]:
        from simulator.serve.ingress import Ingress

        ingress = Ingress(workers, Settings(min_workers=WORKERS, max_workers=WORKERS, worker_cpus=cores))
        return await asyncio.gather(*(one(ingress, seed) for seed in seeds))

    return asyncio.run(all_of_them())


def test_a_small_simulation_is_one_call_to_a_worker_with_its_fan() -> None:
    workers = Workers()
    [found] = simulated(workers, range(1))
    [task] = workers.asked
    assert task.small
    assert found.HasField("equity_fan")


@pytest.mark.parametrize(("cores", "places"), [(1, 2), (3, 5)])
def test_those_of_all_callers_take_turns_as_many_as_workers_have_places(cores: int, places: int) -> None:
    workers = Workers(together=places * WORKERS)
    assert [found.seed for found in simulated(workers, range(20), cores=cores)] == list(range(20))
    assert workers.most_at_a_time == places * WORKERS


def test_one_whose_worker_is_lost_is_run_again() -> None:
    workers = Workers(losses=2)
    [found] = simulated(workers, range(1))
    assert found.paths == 50
    assert len(workers.asked) == 3


def test_chunks_of_all_callers_take_turns_two_a_worker() -> None:
    workers = Workers(together=2 * WORKERS)
    assert [found.seed for found in simulated(workers, range(5), cores=3, large=True)] == list(range(5))
    assert workers.most_at_a_time == 2 * WORKERS
