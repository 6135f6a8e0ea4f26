"""The verbs against a service on a loopback port: what they send, what they print, and how they fail."""

from __future__ import annotations

import argparse
import json
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2, status_pb2
from grpc_status import rpc_status

from mcsvc.cli import register
from mcsvc.domain.errors import InvalidRequest, Violation
from mcsvc.entrypoints.api.problems import classify
from mcsvc.entrypoints.api.trigger_requests import decode_trigger
from mcsvc.entrypoints.grpc.errors import to_status
from montecarlo.v1 import simulation_pb2 as pb
from montecarlo.v1 import simulation_service_pb2 as api
from montecarlo.v1.settings_pb2 import RESAMPLING_MODEL_IID
from montecarlo.v1.simulation_service_pb2_grpc import (
    SimulationServiceServicer,
    add_SimulationServiceServicer_to_server,
)

ID = "0b2f5c9e-1f64-4a51-9d0e-6a3f8f3b7a11"
NOWHERE = "127.0.0.1:1"


def job(state: pb.SimulationState.ValueType = pb.SIMULATION_STATE_PENDING, **fields: Any) -> pb.Simulation:
    simulation = pb.Simulation(
        id=ID,
        state=state,
        subject=pb.SimulationSubject(funded_account_id="acc-1"),
        trigger=pb.SIMULATION_TRIGGER_API,
        max_attempts=3,
        **fields,
    )
    simulation.create_time.FromJsonString("2026-01-02T03:04:05Z")
    return simulation


def succeeded() -> pb.Simulation:
    simulation = job(pb.SIMULATION_STATE_SUCCEEDED, attempt=1)
    simulation.result.paths = 1000
    simulation.result.currency = "USD"
    simulation.result.outcomes.passed.value = 0.25
    return simulation


class Scripted(SimulationServiceServicer):
    """Answers what the test has laid out, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: Callable[[grpc.ServicerContext], pb.Simulation] = lambda context: job()
        self.watched: list[list[pb.Simulation]] = []
        self.pages: dict[str, api.ListSimulationsResponse] = {}

    def TriggerSimulation(self, request: Any, context: Any) -> Any:  # noqa: N802 — the name of the call
        self.asked.append(request)
        return api.TriggerSimulationResponse(simulation=self.answer(context))

    def GetSimulation(self, request: Any, context: Any) -> Any:  # noqa: N802 — the name of the call
        self.asked.append(request)
        return api.GetSimulationResponse(simulation=self.answer(context))

    def CancelSimulation(self, request: Any, context: Any) -> Any:  # noqa: N802 — the name of the call
        self.asked.append(request)
        return api.CancelSimulationResponse(simulation=self.answer(context))

    def ListSimulations(self, request: Any, context: Any) -> Any:  # noqa: N802 — the name of the call
        self.asked.append(api.ListSimulationsRequest.FromString(request.SerializeToString()))
        return self.pages[request.page_token]

    def WatchSimulation(self, request: Any, context: Any) -> Any:  # noqa: N802 — the name of the call
        self.asked.append(request)
        for simulation in self.watched.pop(0):
            yield api.WatchSimulationResponse(simulation=simulation)
        if self.watched:
            context.abort(grpc.StatusCode.UNAVAILABLE, "shutting down")


class Service:
    """The scripted service and where it answers."""

    def __init__(self, servicer: Scripted, target: str) -> None:
        self.servicer, self.target = servicer, target


@pytest.fixture
def service() -> Iterator[Service]:
    with ThreadPoolExecutor(4) as pool:
        server, servicer = grpc.server(pool), Scripted()
        add_SimulationServiceServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield Service(servicer, f"127.0.0.1:{port}")
        server.stop(None).wait(10)


def call(*words: str) -> int:
    """Run `mcsvc WORDS…`."""
    parser = argparse.ArgumentParser(prog="mcsvc")
    register(parser.add_subparsers(required=True))
    args = parser.parse_args(words)
    code: int = args.run(args)
    return code


def refuse(code: grpc.StatusCode, text: str) -> Callable[[grpc.ServicerContext], pb.Simulation]:
    def answer(context: grpc.ServicerContext) -> pb.Simulation:
        context.abort(code, text)

    return answer


def refuse_fields(*bad: Violation) -> Callable[[grpc.ServicerContext], pb.Simulation]:
    """An answer that refuses these fields as the service does."""

    def answer(context: grpc.ServicerContext) -> pb.Simulation:
        context.abort_with_status(rpc_status.to_status(to_status(classify(InvalidRequest(list(bad))))))

    return answer


def test_trigger_sends_the_subject_the_settings_and_the_request_id(service: Service) -> None:
    words = ["--funded-account", "acc-1", "--paths", "1_000", "--model", "iid", "--seed", "0", "--request-id", "r1"]
    assert call("trigger", "--server", service.target, *words) == 0
    request = service.servicer.asked[0]
    assert request.subject.funded_account_id == "acc-1"
    assert (request.settings.paths, request.settings.model, request.request_id) == (1000, RESAMPLING_MODEL_IID, "r1")
    assert request.settings.HasField("seed")


def test_trigger_leaves_the_seed_to_the_server_unless_given(service: Service) -> None:
    assert call("trigger", "--server", service.target, "--assessment", "a") == 0
    assert not service.servicer.asked[0].settings.HasField("seed")


@pytest.fixture
def trades(tmp_path: Path) -> Path:
    file = tmp_path / "trades.csv"
    file.write_text("closed_at,pnl\n2026-01-02T10:00:00Z,12.50\n")
    return file


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.yaml"
    file.write_text('starting_balance: "50000.00"\n')
    return file


def test_trigger_sends_trades_and_rules_from_files(service: Service, trades: Path, rules: Path) -> None:
    assert call("trigger", "--server", service.target, "--trades", str(trades), "--rules", str(rules)) == 0
    inline = service.servicer.asked[0].subject.inline
    assert (inline.trades[0].pnl, inline.rules.starting_balance) == ("12.50", "50000.00")
    assert not inline.HasField("account")


def test_a_file_that_is_not_there_is_a_usage_error(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent = str(rules.with_name("absent.csv"))
    assert call("trigger", "--server", NOWHERE, "--trades", absent, "--rules", str(rules)) == 2
    assert f"error: Cannot read {absent}: No such file" in capsys.readouterr().err


def test_a_broken_file_is_a_usage_error_that_names_the_place(
    trades: Path, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules.write_text('starting_balanse: "50000.00"\n')
    assert call("trigger", "--server", NOWHERE, "--trades", str(trades), "--rules", str(rules)) == 2
    assert "starting_balanse" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--assessment", "a", "--funded-account", "b"], ["--trades", "t.csv"]])
def test_trigger_wants_exactly_one_subject(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call("trigger", "--server", NOWHERE, *words) == 2
    assert "Give one of --assessment" in capsys.readouterr().err


def test_bad_fields_are_named_one_a_line_and_exit_with_2(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.servicer.answer = refuse_fields(
        Violation(field="settings.paths", description="must be at most 10000000000"),
        Violation(field="subject", description="is required"),
    )
    assert call("trigger", "--server", service.target, "--assessment", "a") == 2
    error = capsys.readouterr().err
    assert "error: --paths: must be at most 10000000000\n" in error
    assert "subject: is required\n" in error


def test_bad_trades_are_told_by_their_lines_in_the_file(
    service: Service, trades: Path, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = "subject.inline.trades[0].pnl"
    service.servicer.answer = refuse_fields(Violation(field=bad, description="give a decimal number"))
    assert call("trigger", "--server", service.target, "--trades", str(trades), "--rules", str(rules)) == 2
    error = capsys.readouterr().err
    assert error == f"error: {trades} line 2 (subject.inline.trades[0].pnl): give a decimal number\n"


def test_trades_in_another_currency_than_the_rules_are_told_by_their_lines(
    service: Service, trades: Path, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trades.write_text("closed_at,pnl,currency\n2026-01-02T10:00:00Z,12.50,USD\n2026-01-02T11:00:00Z,1,EUR\n")

    def answer(context: grpc.ServicerContext) -> pb.Simulation:
        try:
            decode_trigger(service.servicer.asked[-1], trace_parent="")
        except InvalidRequest as refused:
            refuse_fields(*refused.violations)(context)
        return job()

    service.servicer.answer = answer
    assert call("trigger", "--server", service.target, "--trades", str(trades), "--rules", str(rules)) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {trades} line 3 (subject.inline.trades[1].currency): 'EUR' is not the account's")


def test_all_bad_trades_are_counted_though_few_are_named(
    service: Service, trades: Path, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trades.write_text("closed_at,pnl\n" + "2026-01-02T10:00:00Z,1.00\n" * 50)
    bad = [Violation(field=f"subject.inline.trades[{each}].pnl", description="is odd") for each in range(50)]
    service.servicer.answer = refuse_fields(*bad)
    assert call("trigger", "--server", service.target, "--trades", str(trades), "--rules", str(rules)) == 2
    assert capsys.readouterr().err == f"error: {trades} lines 2, 3, 4 and 47 more ({bad[0].field}, …): is odd\n"


def test_what_the_engine_refuses_after_the_job_was_made_is_told_by_line(
    service: Service, trades: Path, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = job(pb.SIMULATION_STATE_FAILED)
    failed.error.code = "INPUT_INVALID"
    failed.error.message = "trades[0].mae: 5 has the wrong sign: it is <= 0; rules.currency: is odd"
    words = ["trigger", "--server", service.target, "--trades", str(trades), "--rules", str(rules), "--watch"]
    service.servicer.watched = [[failed]]
    assert call(*words) == 1
    assert capsys.readouterr().err.splitlines()[-3:] == [
        f"error: Simulation {ID} has failed and has no result. INPUT_INVALID:",
        f"       {trades} line 2 (trades[0].mae): 5 has the wrong sign: it is <= 0",
        "       rules.currency: is odd",
    ]


@pytest.mark.parametrize("verb", ["get", "cancel", "report"])
def test_an_unknown_id_is_told_in_the_words_of_the_service(
    service: Service, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    service.servicer.answer = refuse(grpc.StatusCode.NOT_FOUND, "No job x.")
    assert call(verb, "--server", service.target, "x") == 1
    assert capsys.readouterr().err == "error: No job x.\n"


def test_a_service_that_cannot_answer_now_is_told_in_its_own_words(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    status = status_pb2.Status(code=code_pb2.UNAVAILABLE, message="The database cannot be reached.")

    def answer(context: grpc.ServicerContext) -> pb.Simulation:
        context.abort_with_status(rpc_status.to_status(status))

    service.servicer.answer = answer
    assert call("get", "--server", service.target, "x") == 1
    assert capsys.readouterr().err == "error: The database cannot be reached.\n"


@pytest.mark.parametrize("verb", [["get", "x"], ["list"], ["watch", "x"], ["cancel", "x"], ["report", "x"]])
def test_a_service_that_cannot_be_reached_is_told_with_the_remedy(
    verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*verb, "--server", NOWHERE) == 1
    assert capsys.readouterr().err == (
        f"error: No service answers at {NOWHERE}. Start one with `make serve`, or name it with --server.\n"
    )


def test_get_prints_where_the_simulation_stands(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    progress = pb.Progress(paths_done=250_000, paths_total=1_000_000)
    service.servicer.answer = lambda context: job(pb.SIMULATION_STATE_RUNNING, attempt=1, progress=progress)
    assert call("get", "--server", service.target, ID) == 0
    text = capsys.readouterr().out
    for words in (ID, "running", "funded account acc-1", "1 of 3", "250,000 of 1,000,000 paths, 25%"):
        assert words in text


def test_get_prints_why_a_simulation_failed(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    error = pb.SimulationError(code="SUBJECT_NOT_FOUND", message="No account [acc-1].")
    service.servicer.answer = lambda context: job(pb.SIMULATION_STATE_FAILED, error=error)
    assert call("get", "--server", service.target, ID) == 0
    assert "SUBJECT_NOT_FOUND: No account [acc-1]." in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["get", "cancel"])
def test_json_output_is_protojson_in_snake_case(
    service: Service, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(verb, "--server", service.target, "--output", "json", ID) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["state"] == "SIMULATION_STATE_PENDING"
    assert printed["create_time"] == "2026-01-02T03:04:05Z"


def test_list_prints_a_line_a_simulation_and_how_to_get_the_next_page(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    page = api.ListSimulationsResponse(simulations=[job()], next_page_token="t2")
    service.servicer.pages = {"": page}
    assert call("list", "--server", service.target, "--filter", "state = PENDING", "--page-size", "1") == 0
    assert service.servicer.asked[0] == api.ListSimulationsRequest(filter="state = PENDING", page_size=1)
    text = capsys.readouterr().out
    assert f"{ID}  pending  funded account acc-1" in text
    more = "more: mcsvc list --filter 'state = PENDING' --page-size 1 --page-token t2"
    assert f"{more} --server {service.target}\n" in text


def test_a_long_subject_is_folded_and_cuts_nothing_else(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    long = job(pb.SIMULATION_STATE_CANCELLED)
    long.finish_time.FromJsonString("2026-01-12T03:04:05Z")
    long.subject.funded_account_id = "x" * 128
    service.servicer.pages = {"": api.ListSimulationsResponse(simulations=[long, job()])}
    assert call("list", "--server", service.target) == 0
    head, first, *folded, last = capsys.readouterr().out.splitlines()
    assert head.split() == ["id", "state", "subject", "trigger", "created", "took"]
    assert first.startswith(f"{ID}  cancelled  funded account")
    assert first.split()[4:] == ["api", "2026-01-02", "03:04:05", "UTC", "864000.0", "s"]
    assert "".join(line.strip() for line in folded) == "x" * 128
    assert last.startswith(f"{ID}  pending    funded account acc-1")


def test_list_all_reads_every_page(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    first = api.ListSimulationsResponse(simulations=[job()], next_page_token="t2")
    service.servicer.pages = {"": first, "t2": api.ListSimulationsResponse(simulations=[job()])}
    assert call("list", "--server", service.target, "--all", "--output", "json") == 0
    assert len(json.loads(capsys.readouterr().out)["simulations"]) == 2


def test_an_empty_list_says_so(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.servicer.pages = {"": api.ListSimulationsResponse()}
    assert call("list", "--server", service.target) == 0
    assert capsys.readouterr().out == "No simulations.\n"


def test_watch_tells_each_stage_once_and_ends_with_the_final_state(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    running = job(pb.SIMULATION_STATE_RUNNING, attempt=1, progress=pb.Progress(paths_done=1, paths_total=2))
    service.servicer.watched = [[job(), job(), running, running, succeeded()]]
    assert call("watch", "--server", service.target, ID) == 0
    told = capsys.readouterr()
    assert told.err.split("\n") == [f"{ID}  queued", f"{ID}  simulating", f"{ID}  succeeded", ""]
    assert "succeeded" in told.out


def test_watch_takes_a_broken_stream_up_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcsvc.cli.watching.PAUSE_S", 0.0)
    service.servicer.watched = [[job()], [job()], [succeeded()]]
    assert call("watch", "--server", service.target, ID) == 0
    assert len(service.servicer.asked) == 3


def test_a_watch_whose_service_has_gone_says_that_the_simulation_has_not(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mcsvc.cli.watching.PAUSE_S", 0.0)
    service.servicer.watched = [[job()], *[[] for _ in range(20)]]
    assert call("watch", "--server", service.target, ID) == 1
    assert f"once it is back, mcsvc watch {ID} --server {service.target}." in capsys.readouterr().err


def test_what_is_not_over_names_the_command_that_follows_it(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("trigger", "--server", service.target, "--funded-account", "acc-1") == 0
    assert f"mcsvc watch {ID} --server {service.target}" in capsys.readouterr().out


def test_a_command_to_copy_names_the_server_only_where_another_would_be_called(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MCSVC_SERVER", service.target)
    assert call("get", ID) == 0
    assert f"mcsvc watch {ID}\n" in capsys.readouterr().out


@pytest.mark.parametrize("terminal", ["0", "1"])
@pytest.mark.parametrize("words", [["trigger", "--funded-account", "acc-1", "--watch"], ["watch", ID]])
def test_whoever_stops_watching_is_told_that_it_goes_on_and_its_id(
    service: Service,
    words: list[str],
    terminal: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("mcsvc.cli.watching.stage", lambda _: signal.raise_signal(signal.SIGINT))
    service.servicer.watched = [[job()]]
    assert call(*words, "--server", service.target) == 130
    told = capsys.readouterr().err
    server = f"--server {service.target}"
    assert told.endswith(f"It goes on: mcsvc watch {ID} {server}, mcsvc cancel {ID} {server}\n")
    assert ("\x1b[?25h" in told) == (terminal == "1")


def test_trigger_and_watch_tells_the_id_before_it_follows(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    service.servicer.watched = [[succeeded()]]
    assert call("trigger", "--server", service.target, "--funded-account", "acc-1", "--watch") == 0
    assert capsys.readouterr().err.startswith(f"Simulation {ID}\n")


@pytest.mark.parametrize("state", [pb.SIMULATION_STATE_FAILED, pb.SIMULATION_STATE_CANCELLED])
def test_watch_exits_with_1_unless_the_simulation_succeeds(
    service: Service, state: pb.SimulationState.ValueType
) -> None:
    service.servicer.watched = [[job(state)]]
    assert call("watch", "--server", service.target, ID) == 1


def test_trigger_and_watch_ends_with_the_report(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.servicer.watched = [[succeeded()]]
    assert call("trigger", "--server", service.target, "--funded-account", "acc-1", "--watch") == 0
    text = capsys.readouterr().out
    assert "Funded account acc-1" in text
    assert "25.00%" in text


def test_report_shows_the_result_and_where_the_time_went(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    simulation = succeeded()
    simulation.timing.queued_s, simulation.timing.simulate_s = 0.25, 3.5
    service.servicer.answer = lambda context: simulation
    assert call("report", "--server", service.target, ID) == 0
    text = capsys.readouterr().out
    assert "queued 250 ms" in text
    assert "simulate 3.5 s" in text


def test_a_simulation_that_still_runs_has_no_report_yet(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("report", "--server", service.target, ID) == 1
    assert (
        f"is pending and has no result. Follow it with `mcsvc watch {ID} --server {service.target}`."
        in capsys.readouterr().err
    )


def test_a_cancelled_simulation_has_no_report(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.servicer.answer = lambda context: job(pb.SIMULATION_STATE_CANCELLED)
    assert call("report", "--server", service.target, ID) == 1
    assert capsys.readouterr().err == f"error: Simulation {ID} is cancelled and has no result.\n"
