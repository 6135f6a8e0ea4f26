"""Nodes come and go in mid-job, as where a cluster scales, or loses a machine: it costs time and no bit."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from simulator import codec, crew, engine, result
from tests.integration.simulator import calls
from tests.integration.simulator.calls import a_request, bits, result_of
from tests.json_lines import forward
from tests.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.ray_cluster import ServedSimulator

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[3]
BLOCKS = 600
WITHIN_S = 120.0


class Nodes:
    """The process with the cluster."""

    def __init__(self, otlp: OtlpReceiver, complaints: Path) -> None:
        environment = os.environ | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.endpoint,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        }
        self._complaints = complaints
        with complaints.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.ray_nodes_process"],
                cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output,
            )  # fmt: skip
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=forward, args=(self._process, self._lines), daemon=True)
        self._reader.start()

    def wait_until_ready(self) -> None:
        """Returns when a simulation has gone through it."""
        ready = self._next()
        self.served = ServedSimulator(target=ready["target"], metadata=(("application", ready["application"]),))

    def add(self) -> psutil.Process:
        """Its raylet, once it has joined."""
        return psutil.Process(self._ask("add")["raylet"])

    def kill(self) -> None:
        """The node that was added, with all its processes, without warning."""
        self._ask("kill")

    def stop(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        below = psutil.Process(self._process.pid).children(recursive=True)
        self._process.stdin.close()
        try:
            self._process.wait(timeout=60)
        finally:
            for each in [self._process, *(child for child in below if child.is_running())]:
                each.kill()
            self._process.wait()
            self._reader.join()
            self._process.stdout.close()

    def _ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._next()

    def _next(self) -> dict[str, Any]:
        line = self._lines.get(timeout=2 * WITHIN_S)
        assert line, f"the cluster's process has ended: {self._complaints.read_text(encoding='utf-8')[-4000:]}"
        found: dict[str, Any] = json.loads(line)
        return found


@pytest.fixture
def otlp() -> Iterator[OtlpReceiver]:
    with otlp_receiver() as receiver:
        yield receiver


@pytest.fixture
def nodes(otlp: OtlpReceiver, tmp_path: Path) -> Iterator[Nodes]:
    started = Nodes(otlp, tmp_path / "complaints")
    try:
        started.wait_until_ready()
        yield started
    finally:
        started.stop()


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


def workers_of_chunks(otlp: OtlpReceiver) -> set[int]:
    return {int(span.attributes["worker"]) for span in otlp.spans if span.name == "engine.run_chunk"}


def test_a_node_added_in_mid_job_takes_part_and_its_death_costs_only_its_chunks(
    nodes: Nodes, otlp: OtlpReceiver
) -> None:
    request = a_request(BLOCKS * engine.BLOCK_PATHS)
    plan = engine.plan(codec.decode(request.input), codec.digest(request.input))
    otlp.wait_for(workers_of_chunks, within_s=WITHIN_S)  # of the simulation that goes through a new app
    [of_the_head] = workers_of_chunks(otlp)

    with calls.open_call(nodes.served, request, timeout_s=2 * WITHIN_S) as call:
        calls.wait_until_paths_are_done(call)
        with held(of_the_head):
            raylet = nodes.add()
            otlp.wait_for(lambda seen: len(workers_of_chunks(seen)) > 1, within_s=WITHIN_S)
            [of_the_node] = workers_of_chunks(otlp) - {of_the_head}
            victim = psutil.Process(of_the_node)
            assert raylet in victim.parents()
            nodes.kill()
            victim.wait(timeout=WITHIN_S)
        heard = calls.listen(call)

    done = [each.response.progress.paths_done for each in heard if each.event == "progress"]
    assert done == sorted(done)
    assert done[0] < plan.paths
    assert bits(result_of(heard)) == bits(result.build(plan, crew.simulate(plan), 0.0))
