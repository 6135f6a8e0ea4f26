"""The service as a real process while what it needs is away or silent: nothing is lost, and readiness is true."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest

from mcsvc.devstack.postgres import EmbeddedPostgres
from mcsvc.devstack.run import Run
from tests.postgres_server import PostgresServer
from tests.scripted_engine import ScriptedEngine, serving
from tests.service_process import ServiceProcess, World, environ, service_process, service_world

pytestmark = pytest.mark.stack
WAIT_S = 60.0
JOB = {"subject": {"assessment_id": "asm-steady-001"}}


@pytest.fixture(scope="module")
def world(postgres_server: PostgresServer, kafka_brokers: str) -> Iterator[World]:
    """PostgreSQL, broker, Core Service and engine."""
    with service_world(postgres_server, kafka_brokers) as made:
        yield made


@contextmanager
def client(service: ServiceProcess) -> Iterator[httpx.Client]:
    """HTTP to a service that has started."""
    port = service.wait_for("service_started")["http_port"]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S) as http:
        yield http


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {WAIT_S:.0f} s: {what}"
        time.sleep(0.05)  # it cannot be waited for


def test_a_job_outlasts_an_engine_that_is_away_for_longer_than_its_attempts(world: World, database_url: str) -> None:
    engine = ScriptedEngine()
    with serving(engine) as port:
        pass  # so that nothing listens there
    topic = f"test.{uuid4().hex}"
    world.environ("", topic)  # makes the topics
    variables = environ(
        database_url=database_url, brokers=world.brokers, engine_port=port, core_url=world.core_url, topic=topic
    )
    quick = {"MCSVC_MAX_ATTEMPTS": "2", "MCSVC_BACKOFF_BASE_S": "0.05", "MCSVC_BACKOFF_CAP_S": "0.1"}
    with service_process(variables | quick) as service, client(service) as http:
        job = http.post("/simulations", json=JOB).json()["id"]
        service.wait_for("job_retried", where=lambda line: line["attempt"] >= 5)
        waiting = http.get(f"/simulations/{job}").json()
        assert waiting["error"]["code"] == "ENGINE_UNAVAILABLE"
        with serving(engine, port):
            service.wait_for("job_succeeded")
        assert len(engine.requests) == 1
        assert http.get(f"/simulations/{job}").json()["state"] == "SIMULATION_STATE_SUCCEEDED"


@contextmanager
def stopped(database_url: str) -> Iterator[None]:
    """All processes of this server stand still: it takes connections and statements, and answers none."""
    with psycopg.connect(database_url) as connection:
        pids = [pid for (pid,) in connection.execute("SELECT pid FROM pg_stat_activity").fetchall()]
    server = next(line for line in Path(f"/proc/{pids[0]}/status").read_text().splitlines() if line.startswith("PPid:"))
    family = [int(server.split()[1]), *pids]
    _signal(family, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(family, signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        if Path(f"/proc/{pid}").exists():  # the connection that asked for the list has ended
            os.kill(pid, number)


def _crowd(http: httpx.Client) -> None:
    """More calls than there are places: each is answered, and so are the probes."""
    with ThreadPoolExecutor(80) as callers:
        asked = [callers.submit(http.get, f"/simulations/{uuid4()}") for _ in range(200)]
        assert [http.get(path).status_code for path in ("/health", "/ready", "/metrics")] == [200, 503, 200]
        answers = [each.result() for each in asked]
    assert {each.status_code for each in answers} == {429, 503}
    assert all(int(each.headers["retry-after"]) > 0 for each in answers)


@pytest.mark.slow
def test_a_database_that_stands_still_is_told_and_found_again(world: World) -> None:
    run, topic = Run(), f"test.{uuid4().hex}"
    try:
        server = PostgresServer(base=EmbeddedPostgres().start(run, {})["DATABASE_URL"].rpartition("/")[0])
        url = server.url(server.create_database())
        variables = world.environ("", topic) | {"DATABASE_URL": url, "MCSVC_LEASE_S": "5"}
        with service_process(variables) as service, client(service) as http:
            job = http.post("/simulations", json=JOB).json()["id"]
            service.wait_for("job_succeeded")
            with stopped(url):
                until(lambda: http.get("/ready").status_code == 503, "not ready")
                assert http.get(f"/simulations/{uuid4()}").status_code == 503
                assert http.post("/simulations", json=JOB).status_code == 503
                _crowd(http)
            until(lambda: http.get("/ready").status_code == 200, "ready again")
            assert http.get(f"/simulations/{job}").json()["state"] == "SIMULATION_STATE_SUCCEEDED"
            http.post("/simulations", json=JOB)
            until(lambda: service.events().count("job_succeeded") == 2, "a job after it")
    finally:
        run.close()
