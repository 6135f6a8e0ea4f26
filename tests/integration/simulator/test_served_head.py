"""Ray's head dies in mid-job, its state kept in Redis, as `k8s/components/kept-head` sets it up: no call notices.

The head runs the control plane, which knows who is there and starts what is lost. Calls go from the proxy of a worker's
node to an ingress and on to workers, none of which asks the head.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulator import codec, crew, engine, result
from tests.integration.simulator import calls
from tests.integration.simulator.calls import a_request, bits, result_of
from tests.ray_head import HeadAndWorker, head_and_worker

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

BLOCKS = 600
WITHIN_S = 300.0


@pytest.fixture
def cluster() -> Iterator[HeadAndWorker]:
    with head_and_worker() as started:
        yield started


def test_a_simulation_outlives_the_head_and_the_next_head_takes_the_workers_over(cluster: HeadAndWorker) -> None:
    request = a_request(BLOCKS * engine.BLOCK_PATHS)
    plan = engine.plan(codec.decode(request.input), codec.digest(request.input))
    few, worker = a_request(calls.TWENTY_BLOCKS), cluster.replica()

    with calls.open_call(cluster.served, request, timeout_s=WITHIN_S) as call:
        calls.wait_until_paths_are_done(call)
        cluster.kill_head()
        begun_without_head = calls.run(cluster.served, few, timeout_s=WITHIN_S)
        without_head = next(each for each in call if each.progress.paths_done > 0)
        cluster.start_head()
        heard = calls.listen(call)

    assert result_of(begun_without_head).paths == calls.TWENTY_BLOCKS
    assert without_head.progress.paths_done < plan.paths
    assert bits(result_of(heard)) == bits(result.build(plan, crew.simulate(plan), 0.0))
    assert cluster.replica() == worker

    worker.kill()  # which only a head that knows of it can make good
    worker.wait(timeout=WITHIN_S)
    assert result_of(calls.run(cluster.served, few, timeout_s=WITHIN_S)).paths == calls.TWENTY_BLOCKS
    assert cluster.replica() != worker
