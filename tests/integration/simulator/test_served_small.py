"""A small simulation goes whole to one worker, with the bits of the engine alone, whatever becomes of the worker."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from secrets import token_hex

import pytest

from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import settings_pb2
from simulator import codec, crew, engine, result
from simulator.serve.small import is_small
from tests.integration.simulator import calls
from tests.integration.simulator.calls import FOR_EVER, a_request, bits, result_of
from tests.ray_cluster import MAX_SIMULATIONS, RayCluster, ServedSimulator

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

Address = Callable[..., ServedSimulator]
USUAL = 100_000


def small(paths: int = USUAL, *, seed: int = 1) -> engine_pb2.SimulateRequest:
    """So far from its floor that breaches are rare."""
    request = a_request(paths)
    request.input.settings.seed = seed
    request.input.settings.model = settings_pb2.RESAMPLING_MODEL_IID
    request.input.rules.max_drawdown.amount = "4500.00"
    request.input.rules.ClearField("daily_loss")
    assert is_small(request)
    return request


def alone(request: engine_pb2.SimulateRequest) -> bytes:
    plan = engine.plan(codec.decode(request.input), codec.digest(request.input))
    return bits(result.build(plan, crew.simulate(plan), 0.0))


def test_it_has_the_bits_of_the_engine_alone_with_its_fan_and_its_rare_breaches(simulator_address: Address) -> None:
    request = small()

    found = result_of(calls.run(simulator_address(workers=2), request))

    assert bits(found) == alone(request)
    assert found.equity_fan.paths > 0
    assert [event.outcome for event in found.rare_events] == ["breached_max_drawdown"]


def test_it_is_one_call_to_a_worker_in_the_callers_trace(simulator_address: Address, ray_cluster: RayCluster) -> None:
    trace = token_hex(16)
    found = result_of(calls.run(simulator_address(), small(), metadata=(("traceparent", f"00-{trace}-{'b' * 16}-01"),)))
    ray_cluster.otlp.wait_for(
        lambda otlp: {"engine.simulate", "engine.run_batch"} <= {s.name for s in otlp.spans if s.trace_id == trace},
        within_s=10,
    )

    ours = [span for span in ray_cluster.otlp.spans if span.trace_id == trace]
    [ingress] = [span for span in ours if span.name == "engine.simulate"]
    [batch] = [span for span in ours if span.name != "engine.simulate"]
    assert batch.parent_id == ingress.span_id
    assert batch.attributes["path_steps"] == found.path_steps
    assert ingress.attributes["paths"] == found.paths
    assert ingress.attributes["input_digest"] == found.input_digest


def test_as_many_at_once_as_are_let_in_each_get_their_own(simulator_address: Address) -> None:
    served = simulator_address(workers=2)
    requests = [small(2_000, seed=seed) for seed in range(5 * MAX_SIMULATIONS)]
    with ThreadPoolExecutor(MAX_SIMULATIONS) as callers:
        found = list(callers.map(lambda request: result_of(calls.run(served, request)), requests))

    assert [each.seed for each in found] == list(range(5 * MAX_SIMULATIONS))
    for index in (0, len(requests) - 1):
        assert bits(found[index]) == alone(requests[index])


def test_a_killed_worker_costs_none(simulator_address: Address, ray_cluster: RayCluster) -> None:
    served = simulator_address(workers=2)
    request = small()
    victim = ray_cluster.worker_pids()[0]
    with ThreadPoolExecutor(2) as callers:
        answers = [callers.submit(lambda: bits(result_of(calls.run(served, request)))) for _ in range(8)]
        answers[0].result()
        ray_cluster.kill_worker(victim)
        found = {answer.result() for answer in answers}

    assert found == {alone(request)}
    assert victim not in ray_cluster.worker_pids()


def test_progress_is_heard_of_one_that_waits(simulator_address: Address) -> None:
    served = simulator_address(workers=1)
    with calls.open_call(served, a_request(FOR_EVER)) as busy:
        calls.wait_until_paths_are_done(busy)
        heard = calls.run(served, small())

    times = [each.at_s for each in heard]
    told = [each.response.progress for each in heard if each.event == "progress"]
    assert told
    assert {(each.paths_done, each.paths_total) for each in told} == {(0, USUAL)}
    assert max((after - before for before, after in pairwise(times)), default=0) <= 1
    assert result_of(heard).paths == USUAL
