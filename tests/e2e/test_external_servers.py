"""`mcsvc demo` on servers that somebody else runs: it uses those that are named, starts the rest, ends only its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import psutil
import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition
from redis import Redis

from mcsvc.cli.arguments import SAMPLE_ASSESSMENT, SAMPLE_FUNDED_ACCOUNT
from mcsvc.devstack import family
from tests.e2e.conftest import ACCOUNT, ASSESSMENT, NAMES, Others
from tests.ray_cluster import RayCluster

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.ray, pytest.mark.timeout(240)]
OWN = {"mcsvc", "mcsvc.devstack.reaper"}
EMBEDDED = {
    "DATABASE_URL": "postgres",
    "KAFKA_BROKERS": "mcsvc.devstack.broker",
    "RAY_SERVE_URL": "simulator.serve",
    "CORE_SERVICE_URL": "mcsvc.devstack.core_service",
    "REDIS_HOST": "redis-server",
}
COMPLETED = "montecarlo.simulation-completed"
WAIT_S = 60.0
HEALTHZ = "/ray.serve.RayServeAPIService/Healthz"


@pytest.mark.parametrize(
    "named",
    [
        pytest.param(NAMES, id="all-named"),
        pytest.param(NAMES - {"KAFKA_BROKERS", "REDIS_HOST"}, id="all-but-kafka-and-redis"),
        pytest.param(NAMES - {"DATABASE_URL", "CORE_SERVICE_URL"}, id="all-but-database-and-core"),
    ],
)
def test_what_is_named_is_used_and_goes_on_and_only_the_rest_is_started(
    named: Collection[str], others: Others, ray_cluster: RayCluster
) -> None:
    servers = {name for name in named if name in others.variables}
    core_is_named = "CORE_SERVICE_URL" in servers
    subjects = (ASSESSMENT, ACCOUNT) if core_is_named else (SAMPLE_ASSESSMENT, SAMPLE_FUNDED_ACCOUNT)
    spans, events = _spans(ray_cluster), _events(others)
    with _demo(others, servers, subjects) as demo:
        before_it = _lines_until(demo, "All ready")
        started = psutil.Process(demo.pid).children()
        programs = [_program(process) for process in started]
        reaper = started[programs.index("mcsvc.devstack.reaper")]
        run_id, directory = reaper.cmdline()[-2:]
        told = before_it + demo.stdout.read() if demo.stdout else ""
    assert demo.returncode == 0, told
    assert sorted(programs) == sorted(OWN | {EMBEDDED[name] for name in others.variables if name not in servers})
    assert [process for process in started if process.is_running()] == []
    assert family.members(run_id) == set()
    assert not Path(directory).exists()
    job_ids = re.findall(rf"(?:{COMPLETED}|TriggerSimulation) ([0-9a-f-]{{36}})", told)
    assert len(job_ids) == 2, told
    ray_cluster.otlp.wait_for(lambda _: _spans(ray_cluster) >= spans + 2, within_s=WAIT_S)
    assert _states(others, job_ids) == (["succeeded", "succeeded"] if "DATABASE_URL" in servers else [])
    assert (_events(others) >= events + 2) == ("KAFKA_BROKERS" in servers)
    assert _is_cached(others, job_ids[0]) == ("REDIS_HOST" in servers)
    _ask_the_others(others)


@contextmanager
def _demo(others: Others, named: Collection[str], subjects: tuple[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The demo with these servers named; it is gone at the end."""
    command = [sys.executable, "-m", "mcsvc", "demo", "--paths", "50000"]
    options = ["--assessment", subjects[0], "--funded-account", subjects[1]]
    with subprocess.Popen(
        [*command, *options],
        env=others.environ(named), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as demo:  # fmt: skip
        try:
            yield demo
            demo.wait(WAIT_S)
        finally:
            demo.terminate()


def _lines_until(demo: subprocess.Popen[str], start: str) -> str:
    """What the demo tells up to a line that begins so."""
    assert demo.stdout is not None
    told = ""
    for line in demo.stdout:
        told += line
        if line.startswith(start):
            return told
    raise AssertionError(f"no line begins with {start}:\n{told}")


def _program(process: psutil.Process) -> str:
    """The module that Python runs, or the name of the program."""
    words = process.cmdline()
    return words[words.index("-m") + 1] if "-m" in words else Path(words[0].split()[0]).name


def _spans(cluster: RayCluster) -> int:
    """Simulations that the engine has told of."""
    return sum(span.name == "engine.simulate" for span in list(cluster.otlp.spans))


def _events(others: Others) -> int:
    """Completion events that the named brokers hold."""
    brokers = others.variables["KAFKA_BROKERS"]["KAFKA_BROKERS"]
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "counter"})
    try:
        known = consumer.list_topics(COMPLETED, timeout=10).topics[COMPLETED].partitions
        return sum(consumer.get_watermark_offsets(TopicPartition(COMPLETED, each), timeout=10)[1] for each in known)
    finally:
        consumer.close()


def _states(others: Others, job_ids: list[str]) -> list[str]:
    """The states of these jobs in the named database; none of those that are not there."""
    with psycopg.connect(others.variables["DATABASE_URL"]["DATABASE_URL"]) as connection:
        found = connection.execute("SELECT to_regclass('jobs')").fetchone()
        if found is None or found[0] is None:
            return []
        return [row[0] for row in connection.execute("SELECT state FROM jobs WHERE id::text = ANY(%s)", [job_ids])]


def _is_cached(others: Others, job_id: str) -> bool:
    """True if the named Redis holds the result of a job."""
    redis = others.variables.get("REDIS_HOST")
    if redis is None:
        return False
    with Redis(host=redis["REDIS_HOST"], port=int(redis["REDIS_PORT"])) as client:
        return bool(client.keys(f"*{job_id}*"))


def _ask_the_others(others: Others) -> None:
    """Core Service and engine answer as before; database, brokers and Redis have just been asked."""
    core = others.variables["CORE_SERVICE_URL"]["CORE_SERVICE_URL"]
    assert httpx.get(f"{core}/health", timeout=WAIT_S).status_code == 200
    engine = others.variables["RAY_SERVE_URL"]["RAY_SERVE_URL"].removeprefix("grpc://")
    with grpc.insecure_channel(engine) as channel:
        healthz: Callable[..., bytes] = channel.unary_unary(HEALTHZ)
        assert b"success" in healthz(b"", timeout=WAIT_S)
