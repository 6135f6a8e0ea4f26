"""The stack as a whole: parts side by side, each after what it needs, all ended whatever happens."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier
from urllib.parse import urlsplit

import psycopg
import pytest
from confluent_kafka.admin import AdminClient
from redis import Redis

from mcsvc.config import load_kafka
from mcsvc.devstack import catalogue, ports, postgres, stack
from mcsvc.devstack.broker import NO_LOGIN, TOPICS, EmbeddedBroker
from mcsvc.devstack.core import SampleCoreService
from mcsvc.devstack.engine import LocalEngine
from mcsvc.devstack.errors import StackError
from mcsvc.devstack.parts import Environment
from mcsvc.devstack.postgres import EmbeddedPostgres
from mcsvc.devstack.redis import EmbeddedRedis, redis_server
from mcsvc.devstack.run import Run

NAMES = (
    "DATABASE_URL", *NO_LOGIN, "RAY_SERVE_URL", "CORE_SERVICE_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD",
)  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


@dataclass
class Fake:
    """A part that does what it is told when it starts, beside one real process."""

    name: str
    needs: tuple[str, ...] = ()
    action: Callable[[Run], object] = lambda run: None
    given: dict[str, str] = field(default_factory=dict)
    title: str = "Fake"

    def start(self, run: Run, given: Environment) -> Environment:
        self.given = dict(given)
        run.spawn(self.name, [sys.executable, "-c", "import signal; signal.pause()"])
        self.action(run)
        return {self.name.upper(): "ready"}


def ignore(ready: stack.Ready) -> None:
    """An observer without interest."""


def test_parts_that_need_nothing_of_each_other_start_side_by_side() -> None:
    barrier = Barrier(2, timeout=20)
    fakes = [Fake(name, action=lambda run: barrier.wait()) for name in ("a", "b")]
    with stack.running(fakes, ignore) as running:
        assert running.environment == {"A": "ready", "B": "ready"}


def test_a_part_is_given_what_the_parts_it_needs_have_yielded() -> None:
    first, other, last = Fake("first"), Fake("other"), Fake("last", needs=("first",))
    with stack.running([first, other, last], ignore):
        assert last.given == {"FIRST": "ready"}


def test_every_part_is_announced_when_it_is_ready() -> None:
    seen: list[str] = []
    with stack.running([Fake("a"), Fake("b", needs=("a",))], lambda ready: seen.append(ready.part.name)):
        assert seen == ["a", "b"]


def test_one_part_that_fails_calls_the_others_off_and_ends_them() -> None:
    runs: list[Run] = []

    def fail(run: Run) -> None:
        runs.append(run)
        raise StackError("No disk left. Free some.")

    waiting = Fake("waiting", action=lambda run: run.stop.wait(20))
    with (
        pytest.raises(StackError, match="No disk left") as caught,
        stack.running([waiting, Fake("b", action=fail)], ignore),
    ):
        pass
    assert runs[0].stop.is_set()
    assert not any(child.running() for child in runs[0].children)
    assert f"The logs are kept in {runs[0].directory}" in "".join(caught.value.__notes__)
    shutil.rmtree(runs[0].directory)


def test_an_interrupt_ends_every_process_and_keeps_no_logs() -> None:
    with pytest.raises(KeyboardInterrupt), stack.running([Fake("a")], ignore) as running:
        raise KeyboardInterrupt
    assert not any(child.running() for child in running.run.children)
    assert not running.run.directory.exists()


def test_the_stack_notices_a_part_that_has_ended() -> None:
    with stack.running([Fake("a")], ignore) as running:
        running.check()
        running.run.children[0].process.kill()
        running.run.children[0].process.wait(20)
        with pytest.raises(StackError, match="a ended with exit code"):
            running.check()


def test_without_named_servers_every_part_is_embedded() -> None:
    chosen = {part.name: part for part in catalogue.parts(grpc_port=1, http_port=2)}
    kinds = {name: type(part) for name, part in chosen.items() if name not in {"redis", "service"}}
    assert kinds == {
        "postgres": EmbeddedPostgres,
        "broker": EmbeddedBroker,
        "core-service": SampleCoreService,
        "engine": LocalEngine,
    }
    assert set(chosen["service"].needs) == set(chosen) - {"engine", "service"}


@contextmanager
def named(part: str) -> Iterator[Mapping[str, str]]:
    """What the server that the environment names for a part is handed on as; it has started nothing."""
    [chosen] = [each for each in catalogue.parts(grpc_port=1, http_port=2) if each.name == part]
    with stack.running([chosen], ignore) as running:
        assert running.run.children == []
        yield running.environment


@pytest.mark.parametrize(
    ("variable", "value", "part"),
    [
        ("RAY_SERVE_URL", "grpc://127.0.0.1:{port}", "engine"),
        ("RAY_SERVE_URL", "127.0.0.1:{port}", "engine"),
        ("CORE_SERVICE_URL", "http://127.0.0.1:{port}/core", "core-service"),
    ],
)
def test_a_named_server_takes_the_place_of_the_embedded_one(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, part: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = value.format(port=server.getsockname()[1])
        monkeypatch.setenv(variable, address)
        with named(part) as environment:
            assert environment == {variable: address}


@pytest.mark.parametrize("listed", ["{one},other:9092", "127.0.0.1:1, {one}"])
def test_named_brokers_of_which_one_answers_take_the_place_of_the_embedded_one(
    monkeypatch: pytest.MonkeyPatch, kafka_brokers: str, listed: str
) -> None:
    monkeypatch.setenv("KAFKA_BROKERS", listed.format(one=kafka_brokers))
    with named("broker") as environment:
        assert environment == {"KAFKA_BROKERS": listed.format(one=kafka_brokers).replace(" ", "")}


def test_how_to_log_in_to_named_brokers_is_handed_on_and_its_contradictions_are_told(
    monkeypatch: pytest.MonkeyPatch, kafka_brokers: str
) -> None:
    monkeypatch.setenv("KAFKA_BROKERS", kafka_brokers)
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")
    with named("broker") as environment:
        assert environment == {"KAFKA_BROKERS": kafka_brokers, "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"}
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", "hunter2")
    with pytest.raises(StackError, match="with KAFKA_SASL_PASSWORD: set it to sasl_ssl") as caught, named("broker"):
        pass
    assert "hunter2" not in str(caught.value)


def test_the_embedded_broker_is_reached_as_it_is_whatever_is_set_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", "hunter2")
    with stack.running([EmbeddedBroker()], ignore) as running:
        assert load_kafka(os.environ | running.environment).security_protocol == "plaintext"


def test_a_named_server_that_does_not_answer_is_an_error_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BROKERS", f"127.0.0.1:{ports.free_port()}")
    with pytest.raises(StackError, match="Correct KAFKA_BROKERS, or unset it"), named("broker"):
        pass


def test_an_https_address_without_a_port_means_that_of_https(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, str]] = []

    def note(port: int, host: str, *, timeout_s: float) -> bool:
        asked.append((port, host))
        return True

    monkeypatch.setattr("mcsvc.devstack.parts.answers", note)
    monkeypatch.setenv("CORE_SERVICE_URL", "https://core.example.com/v2")
    with named("core-service"):
        assert asked == [(443, "core.example.com")]


def test_a_named_database_takes_the_place_of_the_embedded_one(
    monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    parts = urlsplit(database_url)
    spelt = f"postgresql://{parts.path}?host={parts.hostname}&port={parts.port}&user={parts.username}"
    for url in (database_url, f"{spelt}&password={parts.password}"):
        monkeypatch.setenv("DATABASE_URL", url)
        with named("postgres") as environment:
            assert environment == {"DATABASE_URL": url}


def test_a_named_database_that_lets_nobody_in_is_an_error_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{database_url}_of_another_name")
    with (
        pytest.raises(StackError, match=r'Correct DATABASE_URL, or unset it .*_name" does not exist'),
        named("postgres"),
    ):
        pass


@pytest.mark.parametrize(
    ("variable", "part", "value"),
    [
        ("DATABASE_URL", "postgres", "postgresql://user:secret@[::1/name"),
        ("DATABASE_URL", "postgres", "postgresql://user:a@secret@127.0.0.1:1/name"),
        ("CORE_SERVICE_URL", "core-service", "http://user:secret@127.0.0.1:1"),
        ("KAFKA_BROKERS", "broker", "user:secret@127.0.0.1:1"),
        ("REDIS_HOST", "redis", "redis://:secret@127.0.0.1"),
    ],
)
def test_an_address_that_may_hold_a_secret_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, variable: str, part: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(StackError, match=variable) as caught, named(part):
        pass
    assert "secret" not in str(caught.value)


@pytest.fixture
def redis_of_another(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Redis that somebody else runs, and its address in the environment."""
    executable = redis_server()
    if executable is None:
        pytest.skip("no redis-server for this Python: install one, or use Python 3.11 or 3.12")
    with stack.running([EmbeddedRedis(executable=executable)], ignore) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield


@pytest.mark.usefixtures("redis_of_another")
def test_a_named_redis_takes_the_place_of_the_embedded_one() -> None:
    with named("redis") as environment:
        assert environment == {name: os.environ[name] for name in ("REDIS_HOST", "REDIS_PORT")}


@pytest.mark.usefixtures("redis_of_another")
def test_a_named_redis_that_refuses_the_password_is_an_error_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with Redis(host="127.0.0.1", port=int(os.environ["REDIS_PORT"])) as client:
        client.config_set("requirepass", "hush")
    monkeypatch.setenv("REDIS_PASSWORD", "guess")
    with pytest.raises(StackError, match=r"Correct REDIS_HOST, or unset it .*password"), named("redis"):
        pass
    monkeypatch.setenv("REDIS_PASSWORD", "hush")
    with named("redis") as environment:
        assert environment["REDIS_PASSWORD"] == "hush"


def test_a_port_of_redis_that_is_none_is_an_error_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_HOST", "127.0.0.1")
    monkeypatch.setenv("REDIS_PORT", "99999")
    with pytest.raises(StackError, match=r"REDIS_PORT .* whole number from 1 to 65535"), named("redis"):
        pass


def test_a_preferred_port_that_is_taken_is_not_chosen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert ports.free_port(taken) != taken
    free = ports.free_port()
    assert ports.free_port(free) == free


def test_postgres_binaries_where_others_may_not_pass_are_recognised(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden" / "bin"
    hidden.mkdir(parents=True)
    hidden.parent.chmod(0o700)
    assert not postgres.open_to_all(hidden)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
@pytest.mark.slow
def test_postgres_starts_for_root_from_binaries_that_only_root_may_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "open_to_all", lambda path: False)
    before = os.umask(0o077)
    try:
        with stack.running([EmbeddedPostgres()], ignore) as running:
            assert (running.run.directory / "postgres-binaries").is_dir()
    finally:
        os.umask(before)


def test_the_embedded_servers_answer() -> None:
    executable = redis_server()
    redis = [EmbeddedRedis(executable=executable)] if executable else []
    with stack.running([EmbeddedPostgres(), EmbeddedBroker(), *redis], ignore) as running:
        with psycopg.connect(running.environment["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("mcsvc",)
        admin = AdminClient({"bootstrap.servers": running.environment["KAFKA_BROKERS"]})
        assert set(TOPICS) <= set(admin.list_topics(timeout=10).topics)
        assert not redis or ports.answers(int(running.environment["REDIS_PORT"]))


@pytest.mark.slow
def test_a_database_needs_its_password() -> None:
    with stack.running([EmbeddedPostgres()], ignore) as running:
        url = running.environment["DATABASE_URL"]
        secret = url.split(":")[2].split("@")[0]
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(url.replace(secret, "guess"))
