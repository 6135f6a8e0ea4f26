"""The verbs that start or feed the stack: how it is shown, how it ends, and the Kafka side of the demo."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer
from rich.console import Console

from mcsvc.cli import kafka, publish, register, running, stack_view
from mcsvc.cli.guide import guide
from mcsvc.cli.publish import new_event
from mcsvc.cli.running import CliError, Interrupted
from mcsvc.devstack import stack
from mcsvc.devstack.broker import EmbeddedBroker
from mcsvc.devstack.errors import PartFailed, StackError
from mcsvc.devstack.parts import Environment
from mcsvc.devstack.run import Run
from mcsvc.devstack.stack import Stack
from mcsvc.kafka_access import KafkaAccess
from montecarlo.v1.events_pb2 import SimulationCompletedEvent, SimulationFailedEvent
from tests.broker import running_broker


class Fake:
    """One part, a real process, that becomes ready or not."""

    name, title, needs = "service", "Monte Carlo service", ()

    def __init__(self, action: Callable[[Run], object] = lambda run: None) -> None:
        self._action = action

    def start(self, run: Run, given: Environment) -> Environment:
        run.spawn(self.name, [sys.executable, "-c", "import signal; signal.pause()"])
        self._action(run)
        return {"GRPC_PORT": "50051", "PORT": "3002", "KAFKA_BROKERS": "127.0.0.1:9092"}


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=100)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[Fake]:
    chosen = [Fake()]
    monkeypatch.setattr("mcsvc.cli.stack_view.catalogue.parts", lambda grpc_port, http_port: chosen)
    return chosen


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@contextlib.contextmanager
def shown(console: Console) -> Iterator[Stack]:
    with stack_view.shown_stack(console, grpc_port=1, http_port=2) as running_stack:
        yield running_stack


def test_each_part_is_shown_when_it_is_ready(console: Console, parts: list[Fake]) -> None:
    with shown(console):
        assert re.search(r"✓ Monte Carlo service +\d+\.\d s  gRPC on 50051, HTTP on 3002", text(console))
    assert "Stopping every part" in text(console)


def test_a_password_is_not_shown() -> None:
    assert stack_view.where({"DATABASE_URL": "postgresql://u:secret@127.0.0.1:5432/db"}) == "127.0.0.1:5432/db"
    assert stack_view.where({"DATABASE_URL": "postgresql:///db?password=secret"}) == "postgresql:///db"


def test_a_missing_redis_is_told_with_the_reason(console: Console, parts: list[Fake]) -> None:
    with shown(console):
        pass
    assert "No Redis: none is packaged for this Python" in text(console)


def test_a_part_that_fails_shows_the_end_of_its_log_and_where_the_logs_are(console: Console, parts: list[Fake]) -> None:
    def fail(run: Run) -> None:
        raise PartFailed("service ended with exit code 1.", log=run.directory / "service.log", tail="KeyError: 'x'")

    parts[:] = [Fake(fail)]
    with pytest.raises(CliError, match="exit code 1") as caught, shown(console):
        pass
    assert "KeyError: 'x'" in text(console)
    kept = Path(str(caught.value).rpartition("kept in ")[2].rstrip("."))
    assert [path.name for path in kept.iterdir()] == ["service.log"]
    (kept / "service.log").unlink()
    kept.rmdir()


def test_a_signal_while_starting_stops_every_part_and_keeps_its_exit_code(
    console: Console, parts: list[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[Run] = []

    def wait_for_the_end(run: Run) -> None:
        runs.append(run)
        os.kill(os.getpid(), signal.SIGTERM)
        run.stop.wait(20)
        raise StackError("called off")

    parts[:] = [Fake(wait_for_the_end)]
    with pytest.raises(Interrupted) as caught, running.interrupts(), shown(console):
        pass
    assert caught.value.exit_code == 128 + signal.SIGTERM
    assert not any(child.running() for child in runs[0].children)
    assert not runs[0].directory.exists()


def test_a_second_ctrl_c_does_not_disturb_the_clearing_up() -> None:
    cleared: list[str] = []

    def interrupted_twice() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            cleared.append("all")

    with pytest.raises(Interrupted), running.interrupts():
        interrupted_twice()
    assert cleared == ["all"]


def test_signal_handlers_are_as_before_once_a_verb_has_run() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with running.interrupts():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_every_verb_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser(prog="mcsvc")
    register(parser.add_subparsers(required=True))
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["demo", "--help"])
    assert caught.value.code == 0
    assert "--funded-account" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "most"),
    [
        ("--seed", 2**64 - 1),
        ("--paths", 2**63 - 1),
        ("--horizon-days", 2**31 - 1),
        ("--trades-per-day", 2**31 - 1),
    ],
)
def test_what_no_message_can_hold_is_refused_with_the_most(
    option: str, most: int, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser(prog="mcsvc")
    register(parser.add_subparsers(required=True))
    asked = ["trigger", "--assessment", "asm", option]
    assert most in vars(parser.parse_args([*asked, str(most)])).values()
    with pytest.raises(SystemExit):
        parser.parse_args([*asked, str(most + 1)])
    assert f"is out of range: give 0 to {most:,}\n" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[""], ["a\nb"], ["a" * 129], ["asm-1", "--outcome", ""]])
def test_an_event_that_the_service_would_refuse_is_not_published(words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="mcsvc")
    register(parser.add_subparsers(required=True))
    args = parser.parse_args(["publish-assessment", *words, "--brokers", "127.0.0.1:1"])
    with pytest.raises(CliError, match="would refuse this event: Give 1 to 128 printable characters"):
        publish.run(args)


@pytest.fixture
def guide_lines() -> list[str]:
    """What is told of a stack on these ports, whose brokers were named in a list with a space."""
    environment = {"GRPC_PORT": "50061", "PORT": "3003", "KAFKA_BROKERS": "127.0.0.1:1234, other:9092"}
    run = Run()
    try:
        return guide(Stack(run=run, environment=environment, startup_s=1.0), "asm-1", "acc-1")
    finally:
        run.close()


def test_the_guide_names_the_addresses_of_this_stack(guide_lines: list[str]) -> None:
    calls = [line for line in guide_lines if "grpcurl" in line]
    assert all("127.0.0.1:50061" in line for line in calls)
    assert {match[1] for line in calls if (match := re.search(r"SimulationService/(\w+)", line))} == {
        "TriggerSimulation",
        "GetSimulation",
        "ListSimulations",
        "WatchSimulation",
        "CancelSimulation",
    }
    assert "curl -sS http://127.0.0.1:3003/health" in guide_lines


def test_the_guide_makes_the_command_known_to_a_shell(guide_lines: list[str]) -> None:
    [export] = [line for line in guide_lines if line.startswith("export")]
    shell = ["/bin/sh", "-c", f'{export}; echo "$MCSVC_SERVER"; echo "$KAFKA_BROKERS"; command -v mcsvc']
    told = subprocess.run(shell, capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[:2] == ["127.0.0.1:50061", "127.0.0.1:1234, other:9092"]
    assert Path(told.splitlines()[2]).is_file()


@pytest.fixture(scope="module")
def brokers() -> Iterator[str]:
    with stack.running([EmbeddedBroker()], lambda ready: None) as running_stack:
        yield running_stack.environment["KAFKA_BROKERS"]


@pytest.fixture
def access(brokers: str) -> KafkaAccess:
    return KafkaAccess(brokers=brokers)


def test_an_event_is_acknowledged_by_the_broker(access: KafkaAccess) -> None:
    assert kafka.publish(access, new_event("asm-1")).startswith("assessment.completed [")


@pytest.mark.parametrize(("outcome", "simulated"), [("PASSED", True), ("passed", True), ("NOPE", False)])
def test_of_an_event_that_is_not_simulated_it_is_said_that_it_is_not(
    brokers: str, outcome: str, capsys: pytest.CaptureFixture[str], *, simulated: bool
) -> None:
    parser = argparse.ArgumentParser(prog="mcsvc")
    register(parser.add_subparsers(required=True))
    words = ["publish-assessment", "asm-[1]", "--outcome", outcome, "--brokers", brokers]
    assert publish.run(parser.parse_args(words)) == 0
    told = capsys.readouterr().out
    assert "of assessment asm-[1] to assessment.completed" in told
    assert ("not simulated: its outcome is NOPE, and only PASSED is." in told) is not simulated


def test_brokers_that_do_not_answer_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcsvc.cli.kafka.TIMEOUT_S", 0.2)
    with pytest.raises(CliError, match=r"No Kafka broker at 127\.0\.0\.1:1 took the event: .*KAFKA_BROKERS"):
        kafka.publish(KafkaAccess(brokers="127.0.0.1:1"), new_event("asm-1"))


@pytest.fixture
def outcomes(access: KafkaAccess) -> Iterator[kafka.Outcomes]:
    reader = kafka.Outcomes(access)
    yield reader
    reader.close()


def test_the_completion_event_of_the_assessment_is_found_among_others(
    access: KafkaAccess, outcomes: kafka.Outcomes
) -> None:
    for name in ("other", "asm-1"):
        kafka.send(access, kafka.COMPLETED, name, SimulationCompletedEvent(assessment_id=name, simulation_id=name))
    event = outcomes.wait_for("asm-1", timeout_s=20, check=lambda: None)
    assert event.simulation_id == "asm-1"


def test_a_failure_event_is_told_with_its_reason(access: KafkaAccess, outcomes: kafka.Outcomes) -> None:
    failed = SimulationFailedEvent(assessment_id="asm-2")
    failed.error.code, failed.error.message = "SUBJECT_NOT_FOUND", "No assessment asm-2."
    kafka.send(access, kafka.FAILED, "asm-2", failed)
    with pytest.raises(CliError, match="SUBJECT_NOT_FOUND: No assessment asm-2"):
        outcomes.wait_for("asm-2", timeout_s=20, check=lambda: None)


def test_the_first_event_of_a_topic_is_found_though_there_was_no_such_topic_before(tmp_path: Path) -> None:
    with running_broker(tmp_path) as fresh:
        access = KafkaAccess(brokers=fresh)
        reader = kafka.Outcomes(access)
        kafka.send(access, kafka.COMPLETED, "asm-4", SimulationCompletedEvent(assessment_id="asm-4", simulation_id="s"))
        assert reader.wait_for("asm-4", timeout_s=20, check=lambda: None).simulation_id == "s"
        reader.close()


def test_brokers_that_make_no_topic_are_told_of_the_one_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asks_for_none(settings: dict[str, Any]) -> Consumer:
        return Consumer(settings | {"allow.auto.create.topics": False})

    monkeypatch.setattr("mcsvc.cli.kafka.Consumer", asks_for_none)
    monkeypatch.setattr("mcsvc.cli.kafka.TIMEOUT_S", 1)
    missing = re.escape(f"has no topic {kafka.COMPLETED} and makes none when asked for it. Create it.")
    with running_broker(tmp_path) as fresh, pytest.raises(CliError, match=missing):
        kafka.Outcomes(KafkaAccess(brokers=fresh))


def test_waiting_for_an_event_ends_when_a_part_has_ended(outcomes: kafka.Outcomes, tmp_path: Path) -> None:
    def check() -> None:
        raise PartFailed("engine ended", log=tmp_path, tail="")

    with pytest.raises(PartFailed):
        outcomes.wait_for("asm-3", timeout_s=20, check=check)
