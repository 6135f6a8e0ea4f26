"""Scenarios, estimation risk, precision and budgets: the bits of the engine alone, whatever becomes of the workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import result_pb2
from simulator import codec, crew, engine, result
from simulator.engine import Plan
from simulator.serve import checkpoint
from tests.integration.simulator import calls
from tests.integration.simulator.calls import A_FEW_SECONDS, TWENTY_BLOCKS, Heard, a_request, bits, result_of
from tests.ray_cluster import RayCluster, ServedSimulator

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

Address = Callable[..., ServedSimulator]
HISTORIES = 60
AN_HOUR_S = 3_600
"""Far beyond the deadline of a call."""


def with_all(paths: int, *, resume_from: bytes = b"") -> engine_pb2.SimulateRequest:
    """A request for all that a simulation can have besides its paths."""
    request = a_request(paths, resume_from=resume_from)
    settings = request.input.settings
    settings.scenarios.add(name="worse").stress.loss_factor = 1.3
    settings.scenarios.add(name="tight", limits_factor=0.8)
    settings.estimation_risk.histories = HISTORIES
    return request


def alone(request: engine_pb2.SimulateRequest) -> bytes:
    plan = plan_of(request)
    return bits(result.build(plan, crew.simulate(plan), 0.0))


def plan_of(request: engine_pb2.SimulateRequest) -> Plan:
    return engine.plan(codec.decode(request.input), codec.digest(request.input))


def figures(found: result_pb2.SimulationResult) -> bytes:
    """The bits but for what another `paths` or budget changes of the input itself."""
    kept = result_pb2.SimulationResult()
    kept.CopyFrom(found)
    for field in ("input_digest", "stop_reason"):
        kept.ClearField(field)
    return bits(kept)


@pytest.fixture(scope="module")
def undisturbed(simulator_address: Address) -> list[Heard]:
    """A run of all that nothing disturbs."""
    return calls.run(simulator_address(), with_all(A_FEW_SECONDS // 2))


@pytest.mark.slow
def test_one_two_and_three_workers_give_the_bits_of_the_engine_alone(simulator_address: Address) -> None:
    request = with_all(TWENTY_BLOCKS)
    wanted = alone(request)

    for workers in (3, 2, 1):
        assert bits(result_of(calls.run(simulator_address(workers=workers), request))) == wanted


@pytest.mark.slow
def test_progress_counts_the_paths_on_resampled_histories_and_never_falls(undisturbed: list[Heard]) -> None:
    told = [each.response.progress for each in undisturbed if each.event == "progress"]

    assert {each.paths_total for each in told} == {A_FEW_SECONDS // 2 + HISTORIES * 2_048}
    assert [each.paths_done for each in told] == sorted(each.paths_done for each in told)
    assert result_of(undisturbed).paths == A_FEW_SECONDS // 2


@pytest.mark.slow
def test_a_run_resumed_from_a_checkpoint_gives_the_bits_of_one_that_was_never_broken_off(
    simulator_address: Address, undisturbed: list[Heard]
) -> None:
    served = simulator_address()
    with calls.open_call(served, with_all(A_FEW_SECONDS // 2)) as call:
        kept = next(response.checkpoint for response in call if response.HasField("checkpoint"))

    resumed = calls.run(served, with_all(A_FEW_SECONDS // 2, resume_from=kept.data))

    assert 0 < kept.paths_done < kept.paths_total
    assert resumed[0].response.progress.paths_done == kept.paths_done
    assert bits(result_of(resumed)) == bits(result_of(undisturbed))


@pytest.mark.slow
def test_a_killed_worker_costs_only_its_chunks(
    simulator_address: Address, ray_cluster: RayCluster, undisturbed: list[Heard]
) -> None:
    served = simulator_address(workers=2)
    with calls.open_call(served, with_all(A_FEW_SECONDS // 2)) as call:
        calls.wait_until_paths_are_done(call)
        ray_cluster.kill_worker(ray_cluster.worker_pids()[0])
        heard = calls.listen(call)

    assert bits(result_of(heard)) == bits(result_of(undisturbed))


def test_a_stop_for_precision_is_the_same_for_any_workers_and_for_a_rerun_of_so_many_paths(
    simulator_address: Address,
) -> None:
    request = a_request(0)
    request.input.settings.precision.add(outcome="passed", half_width=0.0015)
    wanted = alone(request)

    for workers in (3, 1):
        found = result_of(calls.run(simulator_address(workers=workers), request))
        assert bits(found) == wanted
    assert found.stop_reason == result_pb2.STOP_REASON_PRECISION
    again = result_of(calls.run(simulator_address(), a_request(found.paths)))
    assert figures(again) == figures(found)


def test_a_spent_time_budget_ends_the_run_and_a_rerun_of_so_many_paths_gives_its_bits(
    simulator_address: Address,
) -> None:
    request = a_request(calls.FOR_EVER)
    request.input.settings.time_budget_s = 2

    heard = calls.run(simulator_address(), request)

    found = result_of(heard)
    assert found.stop_reason == result_pb2.STOP_REASON_TIME
    assert 0 < found.paths < calls.FOR_EVER
    again = result_of(calls.run(simulator_address(), a_request(found.paths)))
    assert figures(again) == figures(found)


def test_a_resumed_run_has_only_the_rest_of_its_time_budget(simulator_address: Address) -> None:
    served = simulator_address()
    request = a_request(calls.FOR_EVER)
    request.input.settings.time_budget_s = AN_HOUR_S
    plan = plan_of(request)
    with calls.open_call(served, request) as call:
        kept = next(response.checkpoint for response in call if response.HasField("checkpoint"))
    held = checkpoint.decode(plan, kept.data)
    request.resume_from = checkpoint.encode(plan, replace(held, spent_s=AN_HOUR_S - 1))

    found = result_of(calls.run(served, request))

    assert 0 < held.spent_s < AN_HOUR_S
    assert found.stop_reason == result_pb2.STOP_REASON_TIME
    assert found.paths >= kept.paths_done > 0
