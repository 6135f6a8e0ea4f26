"""The sample traders: regenerated from real prices byte by byte, and of the character they are named for."""

from __future__ import annotations

import csv
import filecmp
import re
import statistics
import subprocess
import sys
from collections import Counter
from datetime import datetime, time
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from google.protobuf import json_format

from mcsvc.devstack.core_service_data import SAMPLES
from montecarlo.v1 import rules_pb2

ROOT = Path(__file__).resolve().parents[3]
NEW_YORK = ZoneInfo("America/New_York")
NAMES = sorted(path.stem for path in (SAMPLES / "trades").glob("*.csv"))
Row = dict[str, str]


def rows(name: str) -> list[Row]:
    """The trades of one sample trader."""
    with (SAMPLES / "trades" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def pnl(name: str) -> list[Decimal]:
    """Profits and losses of one sample trader, by close time."""
    return [Decimal(row["pnl"]) for row in rows(name)]


def win_rate(name: str) -> float:
    """The share of trades with a profit."""
    return sum(amount > 0 for amount in pnl(name)) / len(pnl(name))


def test_the_script_writes_the_committed_files_to_the_byte(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "make_sample_traders.py"
    subprocess.run([sys.executable, str(script), "--out", str(tmp_path)], check=True, timeout=60)
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert {"README.md", "accounts.yaml", "trades/steady.csv"} <= set(written)
    _, different, missing = filecmp.cmpfiles(tmp_path, SAMPLES, written, shallow=False)
    assert (different, missing) == ([], [])


@pytest.mark.parametrize("name", NAMES)
def test_trades_are_well_formed_and_in_order(name: str) -> None:
    trades = rows(name)
    assert 0 < len(trades) <= 1500
    for row in trades:
        assert all(re.fullmatch(r"-?\d+\.\d\d", row[column]) for column in ("pnl", "mae", "mfe", "commission"))
        assert Decimal(row["mae"]) <= Decimal(row["pnl"]) <= Decimal(row["mfe"])
        assert Decimal(row["mae"]) <= 0 <= Decimal(row["mfe"])
        assert int(row["quantity"]) >= 1
        assert row["opened_at"] < row["closed_at"]
    assert all(before["closed_at"] < after["closed_at"] for before, after in pairwise(trades))


@pytest.mark.parametrize("name", NAMES)
def test_trades_open_and_close_within_new_york_sessions(name: str) -> None:
    for row in rows(name):
        for column in ("opened_at", "closed_at"):
            local = datetime.fromisoformat(row[column]).astimezone(NEW_YORK)
            assert time(9, 30) <= local.time() <= time(16)
            assert local.weekday() < 5


def test_an_early_close_is_kept() -> None:
    closes = {row["closed_at"] for row in rows("lucky")}
    assert "2018-07-03T17:00:00Z" in closes  # 13:00 in New York, on the eve of Independence Day
    assert "2018-07-05T20:00:00Z" in closes
    assert "2018-11-23T18:00:00Z" in closes  # the Friday after Thanksgiving, in winter time


def test_steady_cuts_every_loss_and_earns_more_often_than_not() -> None:
    assert win_rate("steady") > 0.55
    assert -min(pnl("steady")) < 10 * statistics.mean(pnl("steady"))
    assert -min(pnl("steady")) < max(pnl("steady"))


def test_tail_risk_wins_nearly_always_and_loses_more_than_a_month_of_gains_at_once() -> None:
    assert win_rate("tail-risk") > 0.9
    assert -min(pnl("tail-risk")) > 40 * statistics.median(pnl("tail-risk"))


def test_martingale_doubles_after_every_loss_until_its_limit() -> None:
    for before, after in pairwise(rows("martingale")):
        lost, size = Decimal(before["pnl"]) <= 0, int(before["quantity"])
        assert int(after["quantity"]) == (2 * size if lost and size < 16 else 1)


def test_over_trading_pays_costs_several_times_a_day_and_earns_nothing_for_them() -> None:
    days = Counter(row["closed_at"][:10] for row in rows("over-trading"))
    assert statistics.mean(days.values()) > 5
    costs = sum(Decimal(row["commission"]) for row in rows("over-trading"))
    assert sum(pnl("over-trading")) < -costs < -4000


def test_short_history_is_short_and_one_trade_carries_it() -> None:
    amounts = pnl("short-history")
    assert 30 <= len(amounts) < 40
    assert max(amounts) > sum(amounts) / 2


def test_lucky_looks_good_though_coins_decided() -> None:
    amounts = pnl("lucky")
    assert statistics.mean(amounts) / statistics.stdev(amounts) * len(amounts) ** Decimal("0.5") > 2


def test_trend_loses_often_and_wins_large() -> None:
    amounts = pnl("trend")
    assert win_rate("trend") < 0.5
    assert statistics.mean(a for a in amounts if a > 0) > -1.5 * float(statistics.mean(a for a in amounts if a < 0))


@pytest.mark.parametrize("path", sorted((SAMPLES / "rules").glob("*.yaml")), ids=lambda path: path.stem)
def test_rules_are_account_rules(path: Path) -> None:
    rules = json_format.ParseDict(yaml.safe_load(path.read_text()), rules_pb2.AccountRules())
    assert rules.starting_balance
    assert rules.HasField("profit_target") == path.stem.startswith("assessment")


def test_there_is_an_assessment_of_every_outcome_and_enough_accounts() -> None:
    index = yaml.safe_load((SAMPLES / "accounts.yaml").read_text())
    assert {entry["outcome"] for entry in index["assessments"]} == {"PASSED", "FAILED", "IN_PROGRESS"}
    assert sorted(entry["trader"] for entry in index["assessments"]) == NAMES
    assert sum(entry["status"] == "ACTIVE" for entry in index["funded_accounts"]) >= 5
