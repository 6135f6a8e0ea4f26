"""`mcsvc serve` as a real process, over real PostgreSQL, Kafka and Core Service, with a scripted engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Any

from tests.broker import make_topics
from tests.postgres_server import PostgresServer
from tests.scripted_engine import ScriptedEngine, serving

COMPLETED = "montecarlo.simulation-completed"
FAILED = "montecarlo.simulation-failed"
Line = dict[str, Any]


class ServiceProcess:
    """A running `mcsvc serve`; its log lines can be waited for."""

    def __init__(self, environ: Mapping[str, str], *arguments: str) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "MCSVC_"))}
        command = [sys.executable, "-m", "mcsvc", *(arguments or ("serve", "--migrate"))]
        self.process = subprocess.Popen(command, env={**own, **environ}, stderr=subprocess.PIPE, text=True)
        self._changed = Condition()
        self._lines: list[Line] = []
        self._ended = False
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, event: str, *, within_s: float = 90.0, where: Callable[[Line], bool] = lambda _: True) -> Line:
        """The first line with this event for which `where` holds."""

        def found() -> Line | None:
            return next((line for line in self._lines if line.get("event") == event and where(line)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None or self._ended, within_s)
            line = found()
            assert line is not None, f"no {event} within {within_s} s:\n{self.text()}"
            return line

    def events(self) -> list[str]:
        """The events logged so far."""
        with self._changed:
            return [str(line.get("event")) for line in self._lines]

    def lines(self) -> list[Line]:
        """The lines logged so far."""
        with self._changed:
            return list(self._lines)

    def text(self) -> str:
        """All that was logged so far."""
        return "\n".join(json.dumps(line) for line in self._lines[-60:])

    def ask_to_stop(self) -> None:
        """SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self, within_s: float = 40.0) -> int:
        """The exit code."""
        code = self.process.wait(within_s)
        self._reader.join(within_s)
        return code

    def _read(self) -> None:
        assert self.process.stderr is not None
        for text in self.process.stderr:
            try:
                line = json.loads(text)
            except ValueError:
                line = {"event": "not_json", "text": text}
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


@contextmanager
def service_process(environ: Mapping[str, str], *arguments: str) -> Iterator[ServiceProcess]:
    """A process that is gone at the end, in order if it can."""
    running = ServiceProcess(environ, *arguments)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.ask_to_stop()
            try:
                running.wait(25)
            except subprocess.TimeoutExpired as error:
                running.process.kill()
                running.wait(10)
                raise AssertionError(f"it had not ended 25 s after SIGTERM:\n{running.text()}") from error
        if running.process.stderr is not None:
            running.process.stderr.close()


@contextmanager
def core_service() -> Iterator[str]:
    """The sample Core Service; yields its address."""
    command = [sys.executable, "-m", "mcsvc.devstack.core_service", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[1]
        finally:
            process.terminate()


@dataclass(kw_only=True)
class World:
    """What the service is surrounded by."""

    postgres: PostgresServer
    brokers: str
    engine: ScriptedEngine
    core_url: str
    engine_port: int

    def environ(self, database: str, topic: str) -> dict[str, str]:
        """The configuration of a service of its own."""
        make_topics(self.brokers, [topic, f"{topic}.dlq", COMPLETED, FAILED])
        return environ(
            database_url=self.postgres.url(database),
            brokers=self.brokers,
            engine_port=self.engine_port,
            core_url=self.core_url,
            topic=topic,
        )


@contextmanager
def service_world(postgres: PostgresServer, brokers: str) -> Iterator[World]:
    """PostgreSQL and broker as given, a Core Service and an engine of its own."""
    engine = ScriptedEngine()
    with core_service() as core_url, serving(engine) as port:
        yield World(postgres=postgres, brokers=brokers, engine=engine, core_url=core_url, engine_port=port)


def environ(*, database_url: str, brokers: str, engine_port: int, core_url: str, topic: str) -> dict[str, str]:
    """A quick service on free loopback ports, a member of a group of its own; its Redis is down."""
    return {
        "DATABASE_URL": database_url,
        "KAFKA_BROKERS": brokers,
        "RAY_SERVE_URL": f"127.0.0.1:{engine_port}",
        "CORE_SERVICE_URL": core_url,
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": "1",
        "GRPC_PORT": "0",
        "PORT": "0",
        "KAFKA_GROUP_ID": f"{topic}.group",
        "MCSVC_BIND_HOST": "127.0.0.1",
        "MCSVC_TOPIC_ASSESSMENTS": topic,
        "MCSVC_TOPIC_DEAD_LETTERS": f"{topic}.dlq",
        "MCSVC_KAFKA_SESSION_TIMEOUT_S": "6",
        "MCSVC_DATABASE_WAIT_S": "2",
        "MCSVC_MONITOR_INTERVAL_S": "0.2",
        "MCSVC_WATCH_POLL_S": "0.05",
        "MCSVC_WORKER_POLL_S": "0.05",
        "MCSVC_SHUTDOWN_TIMEOUT_S": "5",
        "MCSVC_SWEEP_CRON": "0 0 29 2 *",
    }
