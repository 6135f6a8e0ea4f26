"""The served engine gives the same bits whatever becomes of the workers and wherever a run resumes."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from itertools import pairwise

import pytest

from simulator import codec, crew, engine, result
from simulator.serve.chunks import SMALL_PLAN
from tests.integration.simulator import calls
from tests.integration.simulator.calls import A_FEW_SECONDS, TWENTY_BLOCKS, Heard, a_request, bits, result_of
from tests.ray_cluster import RayCluster, ServedSimulator

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

Address = Callable[..., ServedSimulator]


@pytest.fixture(scope="module")
def undisturbed(simulator_address: Address) -> list[Heard]:
    """A run of a few seconds that nothing disturbs."""
    return calls.run(simulator_address(), a_request(A_FEW_SECONDS))


def test_one_two_and_three_workers_give_the_bits_of_the_engine_alone(simulator_address: Address) -> None:
    request = a_request(TWENTY_BLOCKS)
    plan = engine.plan(codec.decode(request.input), codec.digest(request.input))
    alone = bits(result.build(plan, crew.simulate(plan), 0.0))

    for workers in (3, 2, 1):
        assert bits(result_of(calls.run(simulator_address(workers=workers), request))) == alone


def test_a_long_history_goes_to_the_workers_another_way_with_the_same_bits(simulator_address: Address) -> None:
    request = a_request(TWENTY_BLOCKS)
    short = engine.plan(codec.decode(request.input), codec.digest(request.input))
    for number in range(4_000):
        trade = request.input.trades.add()
        trade.CopyFrom(request.input.trades[number])
        trade.closed_at.seconds += 100 * 86_400
    plan = engine.plan(codec.decode(request.input), codec.digest(request.input))
    assert len(pickle.dumps(short)) <= SMALL_PLAN < len(pickle.dumps(plan))

    served = calls.run(simulator_address(workers=2), request)

    assert bits(result_of(served)) == bits(result.build(plan, crew.simulate(plan), 0.0))


def test_progress_comes_at_least_every_second_and_never_falls(undisturbed: list[Heard]) -> None:
    times = [each.at_s for each in undisturbed]
    done = [each.response.progress.paths_done for each in undisturbed if each.event == "progress"]

    assert times[-1] - times[0] > 1
    assert max(after - before for before, after in pairwise(times)) <= 1
    assert done == sorted(done)
    assert result_of(undisturbed).paths == A_FEW_SECONDS


def test_a_run_resumed_from_a_checkpoint_gives_the_bits_of_one_that_was_never_broken_off(
    simulator_address: Address, undisturbed: list[Heard]
) -> None:
    assert bits(calls.resumed(simulator_address(), A_FEW_SECONDS)) == bits(result_of(undisturbed))


def test_a_killed_worker_costs_only_its_chunks(
    simulator_address: Address, ray_cluster: RayCluster, undisturbed: list[Heard]
) -> None:
    served = simulator_address(workers=2)
    with calls.open_call(served, a_request(A_FEW_SECONDS)) as call:
        calls.wait_until_paths_are_done(call)
        victim = ray_cluster.worker_pids()[0]
        ray_cluster.kill_worker(victim)
        heard = calls.listen(call)

    done = [each.response.progress.paths_done for each in heard if each.event == "progress"]
    assert bits(result_of(heard)) == bits(result_of(undisturbed))
    assert done == sorted(done)
    assert victim not in ray_cluster.worker_pids()
