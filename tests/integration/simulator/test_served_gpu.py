"""A worker with a GPU, served by a Ray of its own, gives the bits of a CPU."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import codec, crew, engine, result, xla
from tests.integration.simulator import calls
from tests.integration.simulator.calls import TWENTY_BLOCKS, a_request, bits, result_of
from tests.json_lines import forward
from tests.ray_cluster import ServedSimulator
from tests.unit.simulator.test_gpu import needs_a_gpu

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "simulator.serve", "--port", "0", "--worker-gpus", "1", "--checkpoint-s", "0.2")
STARTS_WITHIN_S, STOPS_WITHIN_S = 240.0, 30.0
SOME_SECONDS = 300_000_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedSimulator]:
    """`python -m simulator.serve` with one worker that has the GPU."""
    needs_a_gpu()
    complaints = tmp_path_factory.mktemp("served") / "complaints"
    environment = {name: value for name, value in os.environ.items() if name != "JAX_PLATFORMS"}
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    with complaints.open("w") as output:
        process = subprocess.Popen(COMMAND, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=output)
    reader = threading.Thread(target=forward, args=(process, lines), daemon=True)
    reader.start()
    try:
        line = lines.get(timeout=STARTS_WITHIN_S)
        assert line, complaints.read_text(encoding="utf-8")[-4_000:]
        about = json.loads(line)
        yield ServedSimulator(target=about["target"], metadata=(("application", about["application"]),))
    finally:
        process.terminate()
        process.wait(timeout=STOPS_WITHIN_S)
        reader.join()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_served_gpu_gives_the_bits_of_a_cpu(served: ServedSimulator) -> None:
    assert xla.backend() == xla.CPU, "it would be compared with itself: run the tests with JAX_PLATFORMS=cpu"
    request = a_request(4 * TWENTY_BLOCKS)
    plan = engine.plan(codec.decode(request.input), codec.digest(request.input))

    found = result_of(calls.run(served, request))

    assert bits(found) == bits(result.build(plan, crew.simulate(plan), 0.0))


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_run_on_a_gpu_resumes_with_the_same_bits(served: ServedSimulator) -> None:
    whole = calls.run(served, a_request(SOME_SECONDS))
    assert bits(calls.resumed(served, SOME_SECONDS)) == bits(result_of(whole))
