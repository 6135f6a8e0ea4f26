"""The configuration is checked as a whole and never shows a secret."""

from __future__ import annotations

import traceback
from dataclasses import FrozenInstanceError
from datetime import timedelta
from pathlib import Path

import certifi
import pytest
from confluent_kafka import Consumer

from mcsvc.config import ConfigError, load, load_for_migration, load_redis, table
from mcsvc.config_values import Secret

CA_FILE = certifi.where()
MINIMAL = {
    "DATABASE_URL": "postgresql://user:hunter2@db:5432/mc",
    "KAFKA_BROKERS": "a:9092, b:9092",
    "RAY_SERVE_URL": "grpc://ray:9000",
    "CORE_SERVICE_URL": "http://core:8080/",
}
LOGIN = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "scram-sha-512",
    "KAFKA_SASL_USERNAME": "mcsvc",
    "KAFKA_SASL_PASSWORD": "hunter2",
}


def test_four_variables_suffice() -> None:
    config = load(MINIMAL)
    assert config.ray_serve_url == "ray:9000"
    assert config.kafka_brokers == "a:9092,b:9092"
    assert config.core_service_url == "http://core:8080"
    assert (config.grpc_port, config.http_port) == (50051, 3002)
    assert config.run_timeout == timedelta(minutes=5)


def test_a_migration_needs_the_database_alone() -> None:
    url = MINIMAL["DATABASE_URL"]
    assert load_for_migration({"DATABASE_URL": url, "PORT": "x"}) == (Secret(url), "INFO")
    with pytest.raises(ConfigError, match="DATABASE_URL is not set"):
        load_for_migration({name: value for name, value in MINIMAL.items() if name != "DATABASE_URL"})


def test_one_message_names_all_that_is_missing_or_malformed() -> None:
    environ = {**MINIMAL, "KAFKA_BROKERS": "", "GRPC_PORT": "70000", "MCSVC_SWEEP_TIME_ZONE": "Mars/Olympus"}
    del environ["CORE_SERVICE_URL"]
    with pytest.raises(ConfigError) as caught:
        load(environ)
    assert len(caught.value.problems) == 4
    for name in ("KAFKA_BROKERS", "CORE_SERVICE_URL", "GRPC_PORT", "MCSVC_SWEEP_TIME_ZONE"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://x"),
        ("KAFKA_BROKERS", "nohost"),
        ("KAFKA_BROKERS", "a:0"),
        ("RAY_SERVE_URL", "http://ray:9000"),
        ("CORE_SERVICE_URL", "core:8080"),
        ("REDIS_PORT", "0"),
        ("REDIS_TLS", "yes"),
        ("REDIS_CA_FILE", "/nowhere/ca.crt"),
        ("PORT", "-1"),
        ("PORT", "٣"),
        ("MCSVC_WORKERS", "0"),
        ("MCSVC_RUN_TIMEOUT_S", "nan"),
        ("MCSVC_RUN_TIMEOUT_S", "0"),
        ("MCSVC_WATCH_HEARTBEAT_S", "31"),
        ("MCSVC_SWEEP_CRON", "daily"),
        ("MCSVC_SWEEP_CRON", "61 2 * * *"),
        ("MCSVC_SWEEP_CRON", "0 2 1 * 1"),
        ("MCSVC_SWEEP_TIME_ZONE", "../etc/passwd"),
        ("MCSVC_LOG_LEVEL", "LOUD"),
        ("MCSVC_TOPIC_ASSESSMENTS", "a b"),
        ("MCSVC_TOPIC_DEAD_LETTERS", "assessment.completed"),
        ("MCSVC_KAFKA_SESSION_TIMEOUT_S", "400"),
        ("MCSVC_KAFKA_SESSION_TIMEOUT_S", "0.1"),
        ("MCSVC_LEASE_S", "0.001"),
        ("KAFKA_SECURITY_PROTOCOL", "tls"),
        ("KAFKA_SASL_MECHANISM", "GSSAPI"),
        ("KAFKA_CA_FILE", "/there/is/no/ca.crt"),
        ("KAFKA_CA_FILE", "/"),
        ("KAFKA_CA_FILE", "pyproject.toml"),
        ("KAFKA_KEY_FILE", "/there/is/no/tls.key"),
    ],
)
def test_malformed_values_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load({**MINIMAL, name: value})


def test_a_contradiction_is_told_beside_all_else_that_is_wrong() -> None:
    with pytest.raises(ConfigError) as caught:
        load({**MINIMAL, "MCSVC_TOPIC_ASSESSMENTS": "t", "MCSVC_TOPIC_DEAD_LETTERS": "t", "PORT": "x"})
    assert len(caught.value.problems) == 2
    assert "Give a topic of its own" in str(caught.value)


@pytest.mark.parametrize("value", ["6", "300"])
def test_a_session_timeout_that_is_accepted_is_one_that_the_kafka_client_takes(value: str) -> None:
    config = load({**MINIMAL, "MCSVC_KAFKA_SESSION_TIMEOUT_S": value})
    session_ms = int(config.kafka_session_timeout.total_seconds() * 1000)
    Consumer({"group.id": "g", "session.timeout.ms": session_ms}).close()


def test_secrets_are_never_printed() -> None:
    secrets = {"REDIS_PASSWORD": "hunter2", "MCSVC_CORE_SERVICE_TOKEN": "hunter2", "KAFKA_SASL_PASSWORD": "hunter2"}
    config = load({**MINIMAL, **LOGIN, **secrets})
    assert "hunter2" not in f"{config!r} {config} {config.database_url} {config.kafka_access()}"
    assert config.database_url.reveal() == MINIMAL["DATABASE_URL"]
    with pytest.raises(ConfigError) as caught:
        load({**MINIMAL, "DATABASE_URL": "mysql://user:hunter2@db"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("DATABASE_URL", "postgresql://user:h%unter2@db/mc", "%25 for '%'"),
        ("DATABASE_URL", "postgresql://user:a@hunter2@db/mc", "%40 for '@'"),
        ("DATABASE_URL", "postgresql://user:hunter2/a@db/mc", "%2F for '/'"),
        ("DATABASE_URL", "postgresql://user:1/hunter2@db/mc", "%2F for '/'"),
        ("DATABASE_URL", "postgresql://user:[hunter2@[db/mc", "percent-encode"),
        ("DATABASE_URL", "postgresql://user:hunter2\udcff@db/mc", "percent-encode"),
        ("CORE_SERVICE_URL", "http://svc:hunter2@core", "a variable of its own"),
        ("CORE_SERVICE_URL", "http://core/?key=hunter2", "a variable of its own"),
        ("CORE_SERVICE_URL", "http://svc:hunter2/a", "http://host:port"),
        ("CORE_SERVICE_URL", "http://core/hunter2\n", "http://host:port"),
        ("CORE_SERVICE_URL", "http://[hunter2", "http://host:port"),
        ("KAFKA_BROKERS", "a:9092,user:hunter2@b:9092", "without user or password"),
        ("RAY_SERVE_URL", "grpc://user:hunter2@ray:9000", "without user or password"),
        ("REDIS_HOST", "redis://:hunter2@redis", "without scheme, user, password"),
        ("REDIS_PASSWORD", "hunter2\udcff", "in UTF-8"),
        ("KAFKA_SASL_PASSWORD", "hunter2\udcff", "in UTF-8"),
        ("MCSVC_CORE_SERVICE_TOKEN", "hunter2\ntoken", "printable ASCII"),
        ("MCSVC_CORE_SERVICE_TOKEN", "hunter2\x01", "printable ASCII"),
        ("MCSVC_CORE_SERVICE_TOKEN", "hunter2é", "printable ASCII"),
        ("MCSVC_CORE_SERVICE_TOKEN", "Bearer hunter2", "without spaces"),
    ],
)
def test_a_secret_that_cannot_be_used_or_would_show_is_refused_unseen(name: str, value: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({**MINIMAL, name: value + "x"})
    [problem] = caught.value.problems
    assert problem.startswith(name)
    assert remedy in problem
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "url",
    [
        "postgres://db",
        "postgresql:///mc?host=/run/postgresql&user=u&password=a@b",
        "postgresql://user%40tenant:p%40%2F%25@[::1]:5432/mc",
        "postgresql://user@one:1,two:2/mc?target_session_attrs=read-write",
        "postgresql://root@localhost:26257/defaultdb?sslmode=disable&options=--cluster%3Da",
    ],
)
def test_an_address_of_a_database_may_be_any_that_libpq_reads(url: str) -> None:
    assert load({**MINIMAL, "DATABASE_URL": url}).database_url.reveal() == url


@pytest.mark.parametrize("host", ["redis", "redis.internal", "10.0.0.1", "::1", "fe80::1%eth0"])
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    assert load({**MINIMAL, "REDIS_HOST": host}).redis_host == host


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        load(MINIMAL).grpc_port = 1  # type: ignore[misc]  # that is the point


def test_the_documented_table_is_the_code_s() -> None:
    text = Path("docs/configuration.md").read_text(encoding="utf-8")
    documented = text.split("<!-- table -->\n")[1].split("<!-- end of table -->")[0]
    assert documented == table(), "run python -m mcsvc.config and put its output into docs/configuration.md"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"REDIS_CA_FILE": CA_FILE}, "REDIS_CA_FILE is set, and REDIS_TLS is false"),
        ({"REDIS_CA_FILE": CA_FILE, "REDIS_TLS": "TRUE"}, ""),
        ({"REDIS_USERNAME": "mcsvc"}, "REDIS_USERNAME is set without REDIS_PASSWORD"),
        ({"REDIS_USERNAME": "mcsvc", "REDIS_PASSWORD": "hunter2"}, ""),
    ],
)
def test_what_is_said_of_redis_must_agree(given: dict[str, str], problem: str) -> None:
    if not problem:
        access = load({**MINIMAL, **given}).redis_access()
        assert access == load_redis(given)
        assert (access.tls, access.username) == ("REDIS_TLS" in given, given.get("REDIS_USERNAME", ""))
        return
    for read in (load, load_redis):
        with pytest.raises(ConfigError, match=problem):
            read({**MINIMAL, **given})
