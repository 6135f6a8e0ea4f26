"""A worker of two cores has two processes for small accounts and small simulations: the same bits, and nobody notices
one that is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import pytest

from montecarlo.engine.v1 import engine_pb2
from simulator.codec_uncertainty import MOST_HISTORIES
from tests.busy import wait_until_busy
from tests.integration.simulator import calls
from tests.integration.simulator.calls import FOR_EVER, a_request, bits, result_of
from tests.integration.simulator.test_served_many import account, answered, many, open_call, run, without_fan
from tests.integration.simulator.test_served_small import alone, small
from tests.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.ray_nodes import WITHIN_S, Nodes, started_nodes

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]

ACCOUNTS = 40
LONG = 8 * 16_384


@pytest.fixture(scope="module")
def otlp() -> Iterator[OtlpReceiver]:
    with otlp_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def nodes(otlp: OtlpReceiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with started_nodes(otlp, tmp_path_factory.mktemp("nodes") / "complaints", cores=2) as started:
        started.deploy(worker_cpus=2, max_workers=1)
        yield started


def helpers(nodes: Nodes) -> list[psutil.Process]:
    """Those of the only worker."""
    [worker] = nodes.workers()
    return [child for child in worker.children() if "simulator.helper" in child.cmdline()]


def test_each_account_gets_the_bits_of_its_own_simulation(nodes: Nodes) -> None:
    request = many(*(account(number) for number in range(ACCOUNTS)))
    request.inputs[5].trades[3].pnl = "a lot"

    found = run(nodes.served, request)

    assert len(helpers(nodes)) == 2
    assert sorted(found) == list(range(ACCOUNTS))
    assert [index for index, each in found.items() if each.HasField("error")] == [5]
    for index in (0, 17, ACCOUNTS - 1):
        single = calls.run(nodes.served, engine_pb2.SimulateRequest(input=request.inputs[index]))
        assert without_fan(calls.result_of(single)) == bits(found[index].result)


def test_a_killed_helper_costs_no_account(nodes: Nodes) -> None:
    request = many(*(account(number, LONG) for number in range(ACCOUNTS)))
    run(nodes.served, many(*(account(number) for number in range(ACCOUNTS))))
    killed, kept = helpers(nodes)

    with open_call(nodes.served, request) as call:
        first = next(call)
        killed.kill()
        rest = list(call)

    assert sorted(each.index for each in answered([first, *rest])) == list(range(ACCOUNTS))
    assert kept in helpers(nodes)
    assert killed not in helpers(nodes)
    assert len(helpers(nodes)) == 2


def test_a_cancelled_call_frees_them_within_two_seconds(nodes: Nodes, otlp: OtlpReceiver) -> None:
    run(nodes.served, many(*(account(number) for number in range(ACCOUNTS))))
    before = helpers(nodes)
    request = many(*(account(number) for number in range(ACCOUNTS)))
    for each in request.inputs:  # so few paths that they are small accounts, and much to do
        each.settings.estimation_risk.histories = MOST_HISTORIES
    with open_call(nodes.served, request) as call:
        for each in before:
            wait_until_busy(each.pid)
        call.cancel()
        otlp.wait_for(lambda seen: seen.sum_of("engine.workers.busy") == 0, within_s=2.5)
    assert helpers(nodes) == before


def helped_s(nodes: Nodes) -> float:
    """Seconds that the helpers have computed for."""
    return sum(each.cpu_times().user for each in helpers(nodes))


@contextmanager
def a_large_one_under_way(nodes: Nodes) -> Iterator[None]:
    """It has all that its worker has for large ones. The helpers are there as well."""
    run(nodes.served, many(*(account(number) for number in range(ACCOUNTS))))
    with calls.open_call(nodes.served, a_request(FOR_EVER)) as large:
        calls.wait_until_paths_are_done(large)
        yield


def test_a_small_simulation_beside_a_large_one_has_a_helper_and_the_bits_of_the_engine_alone(nodes: Nodes) -> None:
    with a_large_one_under_way(nodes):
        before = helped_s(nodes)
        found = result_of(calls.run(nodes.served, small()))
        helped = helped_s(nodes) - before

    assert bits(found) == alone(small())
    assert helped > 0


def test_a_killed_helper_costs_no_small_simulation(nodes: Nodes) -> None:
    requests = [small(seed=seed) for seed in range(12)]
    with a_large_one_under_way(nodes), ThreadPoolExecutor(3) as callers:
        killed, kept = helpers(nodes)
        answers = [callers.submit(calls.run, nodes.served, each) for each in requests]
        answers[0].result()
        killed.kill()
        found = [result_of(answer.result()) for answer in answers]
        left = helpers(nodes)

    assert [each.seed for each in found] == list(range(12))
    assert bits(found[-1]) == alone(requests[-1])
    assert kept in left
    assert killed not in left


def test_they_go_with_their_worker(nodes: Nodes, otlp: OtlpReceiver) -> None:
    run(nodes.served, many(*(account(number) for number in range(ACCOUNTS))))
    [worker], below = nodes.workers(), helpers(nodes)
    otlp.wait_for(lambda seen: seen.sum_of("engine.workers.busy") == 0, within_s=10)  # what it told last stays
    worker.kill()
    assert psutil.wait_procs([worker, *below], timeout=WITHIN_S)[1] == []
    found = run(nodes.served, many(*(account(number) for number in range(ACCOUNTS))))
    assert sorted(found) == list(range(ACCOUNTS))
