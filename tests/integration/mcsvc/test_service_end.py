"""The end of the service as a real process: in time, whoever takes the signal and whatever does not answer."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.broker import broker_process, send
from tests.postgres_server import PostgresServer
from tests.service_process import ServiceProcess, World, service_process, service_world

pytestmark = pytest.mark.stack
STOP_S = 4.0
SLACK_S = 3.5  # for a machine that is busy; the last resort comes later still
JOB = {"subject": {"assessment_id": "asm-steady-001"}}


@pytest.fixture(scope="module")
def world(postgres_server: PostgresServer, kafka_brokers: str) -> Iterator[World]:
    """PostgreSQL, broker, Core Service and engine."""
    with service_world(postgres_server, kafka_brokers) as made:
        yield made


@pytest.fixture
def variables(world: World) -> Iterator[dict[str, str]]:
    """The configuration of a service that may take STOP_S to stop."""
    database, topic = world.postgres.create_database(), f"test.{uuid4().hex}"
    yield world.environ(database, topic) | {"MCSVC_SHUTDOWN_TIMEOUT_S": f"{STOP_S:g}"}
    world.postgres.drop_database(database)


def ends_in_time(service: ServiceProcess, ask: Callable[[], None]) -> None:
    """Asks, and holds the process to its end: in time, with exit code 0, by itself."""
    asked = time.monotonic()
    ask()
    code = service.wait(STOP_S + 20)
    took_s = time.monotonic() - asked
    events = service.events()
    assert (code, "service_stopped" in events, "shutdown_overran" in events) == (0, True, False), service.text()
    assert took_s < STOP_S + SLACK_S, service.text()


def has_sigterm(status: Path, mask: str) -> bool:
    """True if a thread's mask of this name ("SigBlk": blocked, "SigCgt": handled) holds SIGTERM."""
    line = next(line for line in status.read_text().splitlines() if line.startswith(f"{mask}:"))
    return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def another_thread(pid: int) -> int:
    """A thread of the process, not its first, that could be given a SIGTERM."""
    threads = sorted(Path(f"/proc/{pid}/task").iterdir(), key=lambda thread: int(thread.name))
    for thread in threads[1:]:
        with suppress(FileNotFoundError):  # it has just ended
            if not has_sigterm(thread / "status", "SigBlk"):
                return int(thread.name)
    raise AssertionError("no such thread")


def test_a_sigterm_that_another_thread_takes_stops_the_service(variables: dict[str, str]) -> None:
    with service_process(variables) as service:
        service.wait_for("service_started")
        pid = service.process.pid
        # The kernel prefers the thread that is named: so this is what else happens once in a few hundred times.
        ends_in_time(service, lambda: os.kill(another_thread(pid), signal.SIGTERM))


def test_a_sigterm_is_heard_before_the_service_is_even_imported(variables: dict[str, str]) -> None:
    with service_process(variables) as service:
        status = Path(f"/proc/{service.process.pid}/status")
        deadline = time.monotonic() + 30
        while not has_sigterm(status, "SigCgt"):
            assert time.monotonic() < deadline, "no handler"
            time.sleep(0.005)  # it cannot be waited for
        service.ask_to_stop()
        assert (service.wait(60), service.events()) == (0, ["stopped_before_the_start"])


@pytest.mark.slow
def test_a_sigterm_amid_a_start_that_does_not_get_on_stops_it(variables: dict[str, str]) -> None:
    with psycopg.connect(variables["DATABASE_URL"], autocommit=True) as admin:
        admin.execute("CREATE TABLE schema_migrations (version int PRIMARY KEY, name text, apply_time timestamptz)")
        with admin.transaction(), service_process(variables) as service:
            admin.execute("LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE")
            service.wait_for("servers_started")
            _until_waited_for(variables["DATABASE_URL"])
            ends_in_time(service, service.ask_to_stop)


@contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.slow
def test_a_database_that_does_not_answer_does_not_hold_up_the_end(variables: dict[str, str]) -> None:
    with service_process(variables) as service, psycopg.connect(variables["DATABASE_URL"]) as admin:
        port = service.wait_for("service_started")["http_port"]
        admin.execute("LOCK TABLE jobs, outbox, schema_migrations IN ACCESS EXCLUSIVE MODE")
        threading.Thread(target=_trigger, args=(port,), daemon=True).start()
        _until_waited_for(variables["DATABASE_URL"])
        ends_in_time(service, service.ask_to_stop)


@pytest.mark.slow
def test_a_broker_that_does_not_answer_does_not_hold_up_the_end(
    variables: dict[str, str], world: World, tmp_path: Path
) -> None:
    topic = variables["MCSVC_TOPIC_ASSESSMENTS"]
    body = {"id": "e", "source": "test", "assessment_id": "asm-steady-001", "outcome": "PASSED"}
    with (
        broker_process(tmp_path, [topic]) as (brokers, broker),
        thawed_at_the_end(broker) as freeze,
        service_process(variables | {"KAFKA_BROKERS": brokers}) as service,
    ):
        send(brokers, topic, json.dumps(body).encode())
        service.wait_for("assessment_ingested")
        freeze()
        ends_in_time(service, service.ask_to_stop)


@pytest.mark.slow
def test_a_core_service_that_does_not_answer_does_not_hold_up_the_end(variables: dict[str, str]) -> None:
    with silent() as port, service_process(variables | {"CORE_SERVICE_URL": f"http://127.0.0.1:{port}"}) as service:
        service.wait_for("worker_started")
        ends_in_time(service, service.ask_to_stop)


@pytest.mark.slow
def test_a_collector_that_does_not_answer_does_not_hold_up_the_end(variables: dict[str, str]) -> None:
    with silent() as port:
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with service_process(variables | endpoint) as service:
            _trigger(service.wait_for("service_started")["http_port"])
            service.wait_for("job_succeeded")
            ends_in_time(service, service.ask_to_stop)


@contextmanager
def thawed_at_the_end(process: subprocess.Popen[bytes]) -> Iterator[Callable[[], None]]:
    """Yields what freezes the process; it is thawed at the end."""
    try:
        yield lambda: process.send_signal(signal.SIGSTOP)
    finally:
        process.send_signal(signal.SIGCONT)


def _trigger(port: int) -> None:
    with suppress(httpx.HTTPError):  # the call may be cut off by the end
        httpx.post(f"http://127.0.0.1:{port}/simulations", json=JOB, timeout=30)


def _until_waited_for(url: str) -> None:
    """Returns once a connection to this database waits for a lock."""
    with psycopg.connect(url, autocommit=True) as other:
        deadline = time.monotonic() + 30
        waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        while other.execute(waiting).fetchone() is None:
            assert time.monotonic() < deadline, "nothing waits for a lock"
            time.sleep(0.02)  # it cannot be waited for
