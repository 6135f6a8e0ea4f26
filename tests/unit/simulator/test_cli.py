"""mcsim: what it prints, how it refuses, and that the same input gives the same figures."""

from __future__ import annotations

import importlib
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from montecarlo.v1.settings_pb2 import ResamplingModel, SimulationSettings
from riskio import refusals
from simulator import cli, command

TRADES = "closed_at,pnl\n" + "".join(
    f"2026-01-{day:02d}T{hour}:00:00Z,{pnl}\n"
    for day, hour, pnl in ((5, 15, 120), (5, 16, -80), (6, 15, 35), (7, 15, -60))
)
RULES = """
starting_balance: "10000.00"
max_drawdown: {kind: TRAILING_END_OF_DAY, amount: "400.00"}
profit_target: {amount: "300.00"}
time_limit_days: 20
"""


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "t.csv").write_text(TRADES, encoding="utf-8")
    (tmp_path / "r.yaml").write_text(RULES, encoding="utf-8")
    return ["simulate", "--trades", str(tmp_path / "t.csv"), "--rules", str(tmp_path / "r.yaml"), "--paths", "2000"]


def test_json_is_the_result_in_snake_case(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--model", "day", "--seed", "7", "--horizon-days", "15", "--format", "json"]
    assert cli.main([*files, *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["outcomes"]) == {"passed", "breached_max_drawdown", "expired"}
    assert (found["paths"], found["seed"], found["horizon_days"]) == ("2000", "7", 15)
    assert found["model"] == "RESAMPLING_MODEL_DAY"


def test_every_model_has_its_name(files: list[str]) -> None:
    names = ("iid", "day", "stationary", "circular", "normal", "student-t")
    asked = {name: command.settings(command.parser().parse_args([*files, "--model", name])).model for name in names}
    assert {name: ResamplingModel.Name(model).removeprefix("RESAMPLING_MODEL_") for name, model in asked.items()} == {
        name: name.upper().replace("-", "_") for name in names
    }


def test_digits_of_the_paths_may_be_grouped(files: list[str]) -> None:
    assert command.settings(command.parser().parse_args([*files, "--paths", "1_000_000"])).paths == 1_000_000


def test_a_model_that_cannot_be_fitted_is_refused_with_what_to_use(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path(files[2]).write_text(TRADES.replace("-80", "120").replace("35", "120").replace("-60", "120"), encoding="utf-8")
    assert cli.main([*files, "--model", "student-t"]) == 2
    assert capsys.readouterr().err.startswith("mcsim: --model: ")


def test_every_setting_is_told_by_a_flag_that_there_is(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["simulate", "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert {refusals.flag(f"settings.{each.name}") for each in SimulationSettings.DESCRIPTOR.fields} <= known
    assert cli.main([*files, "--precision", "passed=0"]) == 2
    assert capsys.readouterr().err.startswith("mcsim: --precision: 0 is out of range: ")


def test_precision_scenarios_and_stress_reach_the_result(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "--model", "day", "--format", "json", "--paths", "200000", "--precision", "passed=0.01",
        "--stress", "cost_per_trade=1.00", "--scenario", "tight: limits_factor=0.5", "--as-of", "2026-03-01T00:00:00Z",
    ]  # fmt: skip
    assert cli.main([*files, *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["stop_reason"] == "STOP_REASON_PRECISION"
    assert 0 < int(found["paths"]) < 200_000
    [scenario] = found["scenarios"]
    assert scenario["name"] == "tight"
    assert scenario["differences"]["passed"]["value"] > 0
    assert {"SHORT_HISTORY", "STALE_HISTORY"} <= {each["code"] for each in found["warnings"]}


def test_estimation_risk_of_too_few_days_is_refused(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*files, "--estimation-risk", "20x256"]) == 2
    assert "--estimation-risk: needs a history of at least 5 trading days" in capsys.readouterr().err


def test_text_is_a_report(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*files, "--model", "iid", "--trades-per-day", "2"]) == 0
    assert "Passed" in capsys.readouterr().out


def test_the_same_files_give_the_same_figures_without_a_seed(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for _ in range(2):
        assert cli.main([*files, "--format", "json", "--block-length", "2"]) == 0
        found.append({**json.loads(capsys.readouterr().out), "elapsed_s": None})
    assert found[0] == found[1]


def test_a_bad_field_is_told_on_a_line_of_its_own(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.yaml").write_text("starting_balance: '0'\ntime_limit_days: -1\n", encoding="utf-8")
    assert cli.main(files) == 2
    told = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in told] == ["rules.starting_balance", "rules.time_limit_days"]


def test_a_bad_amount_is_told_with_its_line_in_the_file(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path(files[2]).write_text(TRADES.replace(",35", ',"1,035"'), encoding="utf-8")
    assert cli.main(files) == 2
    assert capsys.readouterr().err.startswith(f"mcsim: {files[2]} line 4 (trades[2].pnl): '1,035' is not a decimal")


def test_one_mistake_made_often_is_told_once(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path(files[2]).write_text(TRADES + TRADES.split("\n", 1)[1] * 15 + "2026-01-09T12:00:00Z,1\n", encoding="utf-8")
    assert cli.main([*files, "--as-of", "2026-01-05T15:30:00Z"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert f"{files[2]} lines 3, 4, 5 and 46 more (trades[1].closed_at, …): is later than --as-of" in line


@pytest.mark.parametrize(("more", "told"), [(1, "1 more field is bad"), (7, "7 more fields are bad")])
def test_more_mistakes_than_are_told_are_said_to_be_more(
    files: list[str], capsys: pytest.CaptureFixture[str], more: int, told: str
) -> None:
    rows = "".join(f"2026-01-09T12:00:00Z,x{number}\n" for number in range(100 + more))
    Path(files[2]).write_text(TRADES + rows, encoding="utf-8")
    assert cli.main(files) == 2
    assert capsys.readouterr().err.splitlines()[100:] == [f"mcsim: {told}"]


def test_a_trade_in_another_currency_than_the_account_is_refused(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = TRADES.replace("pnl", "pnl,currency").replace("Z,120", "Z,120,EUR").replace("-80", "-80,usd")
    Path(files[2]).write_text(text.replace(",35", ",35,").replace("-60", "-60,"), encoding="utf-8")
    assert cli.main(files) == 2
    told = capsys.readouterr().err
    assert "line 2 (trades[0].currency): 'EUR' is not the account's currency, USD: convert the amounts to USD" in told


def test_an_unknown_rule_is_told_with_the_nearest_one(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.yaml").write_text("starting_balance: '1'\nmax_drawdwn: {}\n", encoding="utf-8")
    assert cli.main(files) == 2
    assert "did you mean 'max_drawdown'?" in capsys.readouterr().err


def test_a_missing_file_is_told_by_its_name(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").unlink()
    assert cli.main(files) == 2
    assert "t.csv: No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    [["--paths", "0"], ["--seed", "-1"], ["--trades-per-day", "some"], ["--model", "guess"], ["--precision", "won=1"]],
)
def test_a_bad_option_is_refused(files: list[str], option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([*files, *option])
    assert ended.value.code == 2
    assert option[0] in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_help_and_version_are_printed(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([option])
    assert ended.value.code == 0
    assert "mcsim" in capsys.readouterr().out


MCSIM = [sys.executable, "-c", "import sys; from simulator.cli import main; sys.exit(main())"]


@pytest.mark.parametrize("kept", [True, False])
def test_ctrl_c_ends_a_long_simulation_at_once_and_in_a_line(files: list[str], *, kept: bool) -> None:
    """On a terminal, which is left as it was; without kept kernels it compiles when the interrupt comes."""
    ours, terminal = pty.openpty()
    long = [*MCSIM, *files, "--paths", str(10**9), *([] if kept else ["--compile-cache", ""])]
    with subprocess.Popen(long, stdout=subprocess.PIPE, stderr=terminal) as running, os.fdopen(ours, "rb", 0) as shown:
        os.close(terminal)
        said = b""
        while b"preparing" not in said:
            said += shown.read(4096)
        running.send_signal(signal.SIGINT)
        said += _rest(shown)
        assert running.wait(60) == 130
    assert said.rfind(b"\x1b[?25h") > said.rfind(b"\x1b[?25l")
    assert said.rstrip().endswith(b"mcsim: interrupted")
    assert b"Traceback" not in said


def _rest(terminal: io.FileIO) -> bytes:
    """What is written until its other side is closed, which Linux tells by an error."""
    said = b""
    with suppress(OSError):
        while more := terminal.read(4096):
            said += more
    return said


def test_an_interrupt_while_the_engine_is_imported_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt(name)

    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(importlib, "import_module", interrupted)
    assert cli.main(["simulate"]) == 130
    assert capsys.readouterr().err == "mcsim: interrupted\n"
