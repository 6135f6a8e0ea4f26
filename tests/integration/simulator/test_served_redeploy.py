"""The app is served anew in mid-job, with workers of another size: the job goes on from its checkpoint, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest

from mcsvc.adapters.ray_serve_errors import run_error
from mcsvc.domain.errors import EngineUnavailable
from simulator import codec, crew, engine, result
from tests.integration.simulator import calls
from tests.integration.simulator.calls import a_request, bits, result_of
from tests.otlp_receiver import otlp_receiver
from tests.ray_nodes import WITHIN_S, Nodes, started_nodes

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]

PATHS = 2_000 * engine.BLOCK_PATHS


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    with otlp_receiver() as otlp, started_nodes(otlp, tmp_path / "complaints", cores=2) as started:
        yield started


def threads_of_xla(process: psutil.Process) -> int:
    """Threads that run paths."""
    names = Path(f"/proc/{process.pid}/task").glob("*/comm")
    return sum(name.read_text().strip() == "tf_XLAEigen" for name in names)


def test_a_job_outlives_its_app_and_goes_on_with_workers_of_another_size(nodes: Nodes) -> None:
    before = {each.pid for each in nodes.workers()}
    assert {threads_of_xla(each) for each in nodes.workers()} == {1}

    with calls.open_call(nodes.served, a_request(PATHS), timeout_s=2 * WITHIN_S) as call:
        calls.wait_until_paths_are_done(call)
        kept = next(response.checkpoint for response in call if response.HasField("checkpoint"))
        nodes.deploy(worker_cpus=2, max_workers=1)
        with pytest.raises(grpc.RpcError) as broken:
            calls.listen(call)
    assert isinstance(run_error(broken.value), EngineUnavailable)  # so the service tries again

    after = nodes.workers()
    assert before.isdisjoint(each.pid for each in after)
    assert [threads_of_xla(each) for each in after] == [2]
    resumed = calls.run(nodes.served, a_request(PATHS, resume_from=kept.data), timeout_s=2 * WITHIN_S)

    assert resumed[0].response.progress.paths_done == kept.paths_done > 0
    plan = engine.plan(*(each(a_request(PATHS).input) for each in (codec.decode, codec.digest)))
    assert bits(result_of(resumed)) == bits(result.build(plan, crew.simulate(plan), 0.0))
