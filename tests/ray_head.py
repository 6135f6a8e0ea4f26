"""A Ray cluster on this machine of which the head can be killed: a head, a node with a worker, and a Redis that keeps
what the head knows.

Each is a process of its own, with all that is below it; so what is killed is what a lost pod of Kubernetes loses.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil
import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from mcsvc.devstack.ports import free_port
from mcsvc.devstack.redis import redis_server
from tests.ray_cluster import ServedSimulator, title
from tests.ray_node_process import APPLICATION

ROOT: Final = Path(__file__).parents[1]
PASSWORD: Final = "of the head alone"
ENDS_WITHIN_S: Final = 30


class HeadAndWorker:
    """The cluster. Its calls go through the proxy of the worker's node, as on Kubernetes."""

    def __init__(self, folder: Path, *, redis_port: int) -> None:
        """Starting. `folder` takes what the processes say, and has a short name, for Ray's sockets."""
        self._folder = folder
        self._head_port, calls = free_port(), free_port()
        self._environ = os.environ | {
            "RAY_TMPDIR": str(folder),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "HEAD_HTTP_PORT": str(free_port()),
            "HEAD_GRPC_PORT": str(free_port()),
            "RAY_SERVE_WORKER_PROXY_HTTP_PORT": str(free_port()),
            "RAY_SERVE_WORKER_PROXY_GRPC_PORT": str(calls),
            # What KubeRay sets for gcsFaultToleranceOptions.
            "RAY_gcs_rpc_server_reconnect_timeout_s": "600",
            "RAY_external_storage_namespace": "test",
            "RAY_REDIS_ADDRESS": f"127.0.0.1:{redis_port}",
            "REDIS_PASSWORD": PASSWORD,
        }
        self.served = ServedSimulator(target=f"127.0.0.1:{calls}", metadata=(("application", APPLICATION),))
        self._processes = ExitStack()
        try:
            self._head = self._started("head", str(self._head_port))
            self._worker = self._started("worker", self._address)
        except BaseException:
            self.close()
            raise

    def deploy(self) -> None:
        """Returns when a simulation has gone through the app."""
        with self._path("deploy").open("a", encoding="utf-8") as said:
            subprocess.run(self._command("deploy", self._address), cwd=ROOT, env=self._environ, stderr=said, check=True)

    def kill_head(self) -> None:
        """With all its processes, without warning."""
        _kill(self._head)

    def start_head(self) -> None:
        """Another one where the first was; returns when it has started."""
        self._head = self._started("head", str(self._head_port))

    def replica(self) -> psutil.Process:
        """The process of the worker."""
        below = psutil.Process(self._worker.pid).children(recursive=True)
        [found] = [each for each in below if f"{APPLICATION}:Worker" in title(each)]
        return found

    def close(self) -> None:
        """Kills what is left."""
        self._processes.close()

    def _started(self, kind: str, where: str) -> subprocess.Popen[str]:
        with self._path(kind).open("a", encoding="utf-8") as said:
            process = subprocess.Popen(
                self._command(kind, where), cwd=ROOT, env=self._environ, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
            )  # fmt: skip
        self._processes.callback(_kill, process)
        assert process.stdout is not None
        told = next((line for line in process.stdout if line.startswith("{")), "")
        assert told, f"the {kind} has ended: {self._path(kind).read_text(encoding='utf-8')[-4000:]}"
        self._address = str(json.loads(told)["address"])
        return process

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "tests.ray_node_process", *words]

    def _path(self, kind: str) -> Path:
        return self._folder / f"{kind}.said"


def _kill(process: subprocess.Popen[str]) -> None:
    """With all that is below it; once more does nothing."""
    if process.poll() is None:
        below = psutil.Process(process.pid).children(recursive=True)
        for each in [process, *below]:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait()
        psutil.wait_procs(below, timeout=ENDS_WITHIN_S)
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


@contextmanager
def redis_with_password(folder: Path) -> Iterator[int]:
    """The port of a Redis that keeps its data in memory, for a head to read when it starts anew."""
    executable = redis_server()
    if executable is None:
        pytest.skip("no Redis for this Python")
    port = free_port()
    given = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "requirepass": PASSWORD}
    options = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    process = subprocess.Popen([str(executable), *options], stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port, password=PASSWORD, retry=Retry(ConstantBackoff(0.1), 300)) as client:
            client.ping()
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def head_and_worker() -> Iterator[HeadAndWorker]:
    """Once a simulation has gone through the app, until the body is done."""
    with tempfile.TemporaryDirectory(prefix="mcs-", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with redis_with_password(folder) as port, closing(HeadAndWorker(folder, redis_port=port)) as cluster:
            cluster.deploy()
            yield cluster
