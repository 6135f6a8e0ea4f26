"""A Ray cluster of several nodes on this machine, in a process of its own, for tests in which nodes or apps change."""

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
from typing import Any, Final

import psutil

from tests.json_lines import forward
from tests.otlp_receiver import OtlpReceiver
from tests.ray_cluster import ServedSimulator, title

ROOT: Final = Path(__file__).parents[1]
WITHIN_S: Final = 120.0


class Nodes:
    """The process with the cluster. cores: of each node."""

    def __init__(self, otlp: OtlpReceiver, complaints: Path, *, cores: int = 1) -> None:
        environment = os.environ | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.endpoint,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        }
        self._complaints = complaints
        with complaints.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.ray_nodes_process", str(cores)],
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
        return psutil.Process(self._ask({"add": 1})["raylet"])

    def kill(self) -> None:
        """The node that was added, with all its processes, without warning."""
        self._ask({"kill": 1})

    def deploy(self, **settings: int) -> None:
        """The app with other settings instead of that which is there; returns when a simulation has gone through it."""
        self._ask({"deploy": settings})

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

    def workers(self) -> list[psutil.Process]:
        """Processes of the worker replicas."""
        below = psutil.Process(self._process.pid).children(recursive=True)
        return [child for child in below if "simulator:Worker" in title(child)]

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(question)}\n")
        self._process.stdin.flush()
        return self._next()

    def _next(self) -> dict[str, Any]:
        line = self._lines.get(timeout=2 * WITHIN_S)
        assert line, f"the cluster's process has ended: {self._complaints.read_text(encoding='utf-8')[-4000:]}"
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def started_nodes(otlp: OtlpReceiver, complaints: Path, *, cores: int = 1) -> Iterator[Nodes]:
    """Once a simulation has gone through the app, until the body is done."""
    nodes = Nodes(otlp, complaints, cores=cores)
    try:
        nodes.wait_until_ready()
        yield nodes
    finally:
        nodes.stop()
