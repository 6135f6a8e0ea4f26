"""The verbs `serve` and `migrate`, in this process: how they begin when something is missing, and their exit codes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from mcsvc import serving
from mcsvc.__main__ import main
from mcsvc.config import Config
from mcsvc.observability import logs, telemetry
from mcsvc.observability.telemetry import Telemetry
from tests.broker import make_topics
from tests.postgres_server import PostgresServer
from tests.service_process import environ

pytestmark = pytest.mark.stack


@pytest.fixture(autouse=True)
def contained(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verb changes what is global to a process; not here."""

    def set_up(config: Config, environ: Mapping[str, str]) -> Telemetry:
        return replace(telemetry.set_up(config, environ), make_global=lambda: None)

    monkeypatch.setattr("mcsvc.__main__.set_on_signal", lambda _: None)
    for name in ("leave_after", "leave"):
        monkeypatch.setattr(serving, name, lambda *_: None)
    monkeypatch.setattr(serving, "telemetry", SimpleNamespace(set_up=set_up))
    monkeypatch.setattr(serving, "logs", SimpleNamespace(**vars(logs) | {"configure": lambda _: None}))


@pytest.fixture
def variables(postgres_server: PostgresServer, kafka_brokers: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the environment of a service whose database does not exist; changes may be given."""
    topic = f"test.{uuid4().hex}"
    make_topics(kafka_brokers, [topic])
    given = environ(
        database_url=postgres_server.url("absent"),
        brokers=kafka_brokers,
        engine_port=1,
        core_url="http://127.0.0.1:1",
        topic=topic,
    )

    def apply(**changes: str) -> None:
        for name, value in (given | changes).items():
            monkeypatch.setenv(name, value)

    return apply


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records]


@pytest.mark.parametrize("migrating", [[], ["--migrate"]])
def test_a_start_without_a_database_waits_says_so_and_gives_up(
    variables: Any, caplog: pytest.LogCaptureFixture, migrating: list[str]
) -> None:
    variables(MCSVC_STARTUP_TIMEOUT_S="1", MCSVC_DATABASE_WAIT_S="0.2")
    with caplog.at_level(logging.INFO):
        assert main(["serve", *migrating]) == serving.FAILURE
    [failure] = [vars(record)["fields"] for record in caplog.records if record.message == "not_started"]
    assert "The database was not usable within 1 s" in failure["error"]
    assert "database_awaited" in events(caplog)
    assert "worker_started" not in events(caplog)


def test_a_bad_configuration_stops_the_start_with_one_message(
    variables: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    variables(GRPC_PORT="x", DATABASE_URL="", CORE_SERVICE_URL="core")
    assert main(["serve"]) == 2
    said = capsys.readouterr().err
    for name in ("DATABASE_URL", "CORE_SERVICE_URL", "GRPC_PORT"):
        assert name in said


def test_migrate_is_a_verb_of_its_own(
    variables: Any, empty_database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    variables(DATABASE_URL=empty_database_url)
    with caplog.at_level(logging.INFO):
        assert main(["migrate"]) == serving.OK
        assert main(["migrate"]) == serving.OK
    first, second = [vars(record)["fields"]["applied"] for record in caplog.records if record.message == "migrated"]
    assert first
    assert second == []


def test_migrate_without_a_database_fails_and_says_why(variables: Any, caplog: pytest.LogCaptureFixture) -> None:
    variables()
    assert main(["migrate"]) == serving.FAILURE
    assert "not_migrated" in events(caplog)
