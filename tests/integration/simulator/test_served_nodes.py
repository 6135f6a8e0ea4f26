"""Nodes come and go in mid-job, as where a cluster scales, or loses a machine: it costs time and no bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from simulator import codec, crew, engine, result
from tests.integration.simulator import calls
from tests.integration.simulator.calls import a_request, bits, result_of
from tests.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.ray_nodes import WITHIN_S, Nodes, started_nodes

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(300)]

BLOCKS = 600


@pytest.fixture
def otlp() -> Iterator[OtlpReceiver]:
    with otlp_receiver() as receiver:
        yield receiver


@pytest.fixture
def nodes(otlp: OtlpReceiver, tmp_path: Path) -> Iterator[Nodes]:
    with started_nodes(otlp, tmp_path / "complaints") as started:
        yield started


@contextmanager
def held(pid: int) -> Iterator[None]:
    """The process does nothing meanwhile: what it has begun cannot be done before."""
    process = psutil.Process(pid)
    process.suspend()
    try:
        yield
    finally:
        if process.is_running():
            process.resume()


def workers_at_work(otlp: OtlpReceiver) -> set[int]:
    """Those that have done something."""
    return {int(span.attributes["worker"]) for span in otlp.spans if "worker" in span.attributes}


def test_a_node_added_in_mid_job_takes_part_and_its_death_costs_only_its_chunks(
    nodes: Nodes, otlp: OtlpReceiver
) -> None:
    request = a_request(BLOCKS * engine.BLOCK_PATHS)
    plan = engine.plan(codec.decode(request.input), codec.digest(request.input))
    otlp.wait_for(workers_at_work, within_s=WITHIN_S)  # of the simulation that goes through a new app
    [of_the_head] = workers_at_work(otlp)

    with calls.open_call(nodes.served, request, timeout_s=2 * WITHIN_S) as call:
        calls.wait_until_paths_are_done(call)
        with held(of_the_head):
            raylet = nodes.add()
            otlp.wait_for(lambda seen: len(workers_at_work(seen)) > 1, within_s=WITHIN_S)
            [of_the_node] = workers_at_work(otlp) - {of_the_head}
            victim = psutil.Process(of_the_node)
            assert raylet in victim.parents()
            nodes.kill()
            victim.wait(timeout=WITHIN_S)
        heard = calls.listen(call)

    done = [each.response.progress.paths_done for each in heard if each.event == "progress"]
    assert done == sorted(done)
    assert done[0] < plan.paths
    assert bits(result_of(heard)) == bits(result.build(plan, crew.simulate(plan), 0.0))
