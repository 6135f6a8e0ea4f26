"""Simulations through the command `mcsim` against closed forms for random walks (Feller, An Introduction to Probability
Theory I, chapters III and XIV).

Every seed is fixed, and every figure must lie within 4 standard errors: a right engine fails a figure with probability
6.3e-5, and any of the five with less than 4e-4. More walks, in this process, are in `test_walk_oracles`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

MCSIM = Path(sys.executable).with_name("mcsim")
ALLOWED_ERRORS = 4


def walk(wins: int, losses: int) -> str:
    """A history of trades of one dollar, as CSV."""
    first = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
    pnls = ["1"] * wins + ["-1"] * losses
    rows = (f"{(first + timedelta(days=day)).isoformat()},{pnl}" for day, pnl in enumerate(pnls))
    return "\n".join(["closed_at,pnl", *rows, ""])


def simulate(folder: Path, trades: str, rules: Mapping[str, object], *options: str) -> dict[str, Any]:
    (folder / "trades.csv").write_text(trades, encoding="utf-8")
    (folder / "rules.json").write_text(json.dumps(rules), encoding="utf-8")
    files: list[str | Path] = ["--trades", folder / "trades.csv", "--rules", folder / "rules.json"]
    command = [MCSIM, "simulate", *files, "--model", "iid", "--format", "json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def assert_within(estimate: dict[str, float], expected: float) -> None:
    assert estimate["std_error"] > 0
    assert abs(estimate["value"] - expected) <= ALLOWED_ERRORS * estimate["std_error"]


def test_gamblers_ruin_against_a_loaded_coin(tmp_path: Path) -> None:
    """p = .45 from 90, absorbed at 0 and at 100: ((q/p)^100 - (q/p)^90) / ((q/p)^100 - 1), mean duration 765.5694."""
    rules = {
        "starting_balance": "90",
        "max_drawdown": {"kind": "STATIC", "amount": "90"},
        "profit_target": {"amount": "10"},
    }
    size = ("--paths", "32768", "--horizon-days", "10000", "--trades-per-day", "1", "--seed", "1")
    found = simulate(tmp_path, walk(9, 11), rules, *size)
    assert_within(found["outcomes"]["breached_max_drawdown"], 0.8655694)
    assert_within(found["trades_to_end"]["mean"], 765.5694)


@pytest.mark.slow
def test_fair_ruin_between_two_walls(tmp_path: Path) -> None:
    """From 50, absorbed at 0 and at 80: 1 - 50/80, mean duration 50 x 30. Ten trades a day leave none unfinished."""
    rules = {
        "starting_balance": "50",
        "max_drawdown": {"kind": "STATIC", "percent": "100"},
        "profit_target": {"percent": "60"},
    }
    size = ("--paths", "16384", "--horizon-days", "10000", "--trades-per-day", "10", "--seed", "2")
    found = simulate(tmp_path, walk(1, 1), rules, *size)
    assert_within(found["outcomes"]["breached_max_drawdown"], 0.375)
    assert_within(found["trades_to_end"]["mean"], 1500)
    assert found["outcomes"]["expired"]["value"] == 0
