"""One Ray cluster a test run, with the real simulator on it, for every suite that needs one.

It takes half a minute to start, nearly all of it imports: so it starts when the tests do, and those that need it are
last.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import psutil
import pytest

from tests.json_lines import forward
from tests.kernels import KERNELS
from tests.otlp_receiver import OtlpReceiver, otlp_receiver

ROOT: Final = Path(__file__).parents[1]
STARTS_WITHIN_S: Final = 240.0
STOPS_WITHIN_S: Final = 10.0
MOST_WORKERS: Final = 3
MAX_SIMULATIONS: Final = 6
APPLICATION: Final = "simulator"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedSimulator:
    """Where the simulator answers: host:port, and the metadata to send with each call."""

    target: str
    metadata: tuple[tuple[str, str], ...]


class RayCluster:
    """The cluster's process. Its number of workers can be changed; what is there already goes on."""

    def __init__(self, otlp: OtlpReceiver) -> None:
        """Starting, with the most workers: fewer is quickly done."""
        self.otlp = otlp
        self._complaints = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 — stop() closes it
        self._process = _start(otlp, self._complaints)
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=forward, args=(self._process, self._lines), daemon=True)
        self._reader.start()
        self._workers = MOST_WORKERS

    def wait_until_ready(self) -> None:
        """Returns when a simulation has gone through it."""
        ready = json.loads(self._next_line())
        self.served = ServedSimulator(target=ready["target"], metadata=(("application", ready["application"]),))

    def scale(self, workers: int) -> None:
        """Returns when so many workers serve."""
        if workers != self._workers:
            assert self._process.stdin is not None
            self._process.stdin.write(f"{workers}\n")
            self._process.stdin.flush()
            self._workers = int(json.loads(self._next_line())["workers"])

    def worker_pids(self) -> list[int]:
        """Processes of the worker replicas."""
        children = psutil.Process(self._process.pid).children(recursive=True)
        return [child.pid for child in children if f"{APPLICATION}:Worker" in title(child)]

    def kill_worker(self, pid: int) -> None:
        """SIGKILL, and nothing of it is left in the metrics."""
        process = psutil.Process(pid)
        process.kill()
        process.wait(timeout=10)
        self.otlp.forget(f"worker-{pid}")

    def stop(self) -> None:
        """SIGTERM. Raises AssertionError if it does not end cleanly, in time and with all its processes."""
        below = psutil.Process(self._process.pid).children(recursive=True)
        started = time.monotonic()
        self._process.terminate()
        code = self._process.wait(timeout=60)
        took_s = time.monotonic() - started
        self._reader.join()
        for file in (self._process.stdin, self._process.stdout, self._complaints):
            assert file is not None
            file.close()
        left = [child for child in below if _runs(child)]
        assert (code, left) == (0, [])
        assert took_s < STOPS_WITHIN_S

    def _next_line(self) -> str:
        line = self._lines.get(timeout=STARTS_WITHIN_S)
        if not line:
            self._complaints.seek(0)
            raise AssertionError(f"the cluster's process has ended: {self._complaints.read()[-4000:]}")
        return line


@contextmanager
def started_cluster() -> Iterator[RayCluster]:
    """A cluster that is starting. That it ends cleanly is a claim of its own."""
    with otlp_receiver() as otlp:
        cluster = RayCluster(otlp)
        try:
            yield cluster
        finally:
            cluster.stop()


STARTED: Final = pytest.StashKey[tuple[ExitStack, RayCluster]]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need the cluster go last; pytest-randomly has shuffled before."""
    items.sort(key=_needs_cluster)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the cluster in the background if a test will need it."""
    if any(map(_needs_cluster, session.items)) and not session.config.option.collectonly:
        stack = ExitStack()
        session.config.stash[STARTED] = (stack, stack.enter_context(started_cluster()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop it also when the run was broken off before any test had asked for it."""
    stack, _ = session.config.stash.get(STARTED, (ExitStack(), None))
    stack.close()


@pytest.fixture(scope="session")
def ray_cluster(request: pytest.FixtureRequest) -> Iterator[RayCluster]:
    """The cluster of this run."""
    stack, cluster = request.config.stash[STARTED]
    cluster.wait_until_ready()
    yield cluster
    stack.close()


@pytest.fixture(scope="session")
def simulator_address(ray_cluster: RayCluster) -> Callable[..., ServedSimulator]:
    """`simulator_address(workers=2)`: the running app, scaled to so many workers; without, to whatever it has."""

    def address(*, workers: int | None = None) -> ServedSimulator:
        if workers is not None:
            ray_cluster.scale(workers)
        return ray_cluster.served

    return address


def _needs_cluster(item: pytest.Item) -> bool:
    return "ray_cluster" in getattr(item, "fixturenames", ())


def _start(otlp: OtlpReceiver, complaints: IO[str]) -> subprocess.Popen[str]:
    options = {
        "--name": APPLICATION,
        "--port": 0,
        "--workers": MOST_WORKERS,
        "--num-cpus": MOST_WORKERS,
        "--max-simulations": MAX_SIMULATIONS,
        "--checkpoint-s": 1,
        "--compile-cache": KERNELS,
    }
    arguments = [str(part) for option in options.items() for part in option]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "without_pandas"), os.environ.get("PYTHONPATH", "")]),
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "200",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.ray_cluster_process", *arguments],
        cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints,
    )  # fmt: skip


def _runs(process: psutil.Process) -> bool:
    """Not if it has ended, and only waits until init takes note of it: its own parent has ended too."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
