"""Bad fields are told once each, by the line of the file where the reader has one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from riskio import refusals


@pytest.fixture
def trades(tmp_path: Path) -> Path:
    path = tmp_path / "t.csv"
    path.write_text("closed_at,pnl\n" + "2026-01-05T16:00:00Z,x\n" * 5, encoding="utf-8")
    return path


def test_each_thing_said_has_a_line_of_its_own_and_equal_ones_share_one() -> None:
    late = [(f"trades[{index}].closed_at", "is late") for index in range(65)]
    assert refusals.told([("rules.currency", "is odd"), *late, ("trades[1].pnl", "is late")]) == [
        "rules.currency: is odd",
        "trades[0].closed_at, trades[1].closed_at, trades[2].closed_at and 62 more: is late",
        "trades[1].pnl: is late",
    ]


def test_a_trade_is_told_by_its_line(trades: Path) -> None:
    assert refusals.told([("subject.inline.trades[2].pnl", "is bad"), ("trades", "are bad")], trades) == [
        f"{trades} line 4 (subject.inline.trades[2].pnl): is bad",
        "trades: are bad",
    ]
    same = [("trades[0].pnl", "is bad"), ("trades[3].pnl", "is bad")]
    assert refusals.told(same, trades) == [f"{trades} lines 2, 5 (trades[0].pnl, …): is bad"]


def test_violations_in_one_text_are_told_alike(trades: Path) -> None:
    text = "trades[0].mae: 5 has the wrong sign; use <= 0; settings.scenarios[1].stress: is odd; trades[3].mfe: is bad"
    assert refusals.told_in_words(text, trades) == [
        f"{trades} line 2 (trades[0].mae): 5 has the wrong sign; use <= 0",
        "--scenario number 2, stress: is odd",
        f"{trades} line 5 (trades[3].mfe): is bad",
    ]


def test_fields_that_share_what_is_said_are_told_by_their_lines_too(trades: Path) -> None:
    first = "trades[0].pnl, trades[1].pnl, trades[2].pnl and 2 more: is bad"
    text = f"rules.a: is odd; {first}; trades[3].mae, trades[4].mae: x"
    assert refusals.told_in_words(text, trades) == [
        "rules.a: is odd",
        f"{trades} lines 2, 3, 4 and 2 more (trades[0].pnl, …): is bad",
        f"{trades} lines 5, 6 (trades[3].mae, …): x",
    ]
    assert refusals.told_in_words(text)[1] == first


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("settings.paths", "--paths"),
        ("settings.block_length", "--block-length"),
        ("settings.time_budget_s", "--time-budget"),
        ("settings.precision[0].half_width", "--precision"),
        ("settings.precision[2].outcome", "--precision number 3"),
        ("settings.scenarios", "--scenario"),
        ("settings.scenarios[1]", "--scenario number 2"),
        ("settings.scenarios[0].name", "--scenario, name"),
        ("settings.scenarios[1].stress.cost_per_trade", "--scenario number 2, cost_per_trade"),
        ("settings.stress.loss_factor", "--stress, loss_factor"),
        ("settings.estimation_risk.paths_per_history", "--estimation-risk, paths_per_history"),
        ("subject.funded_account_id", "--funded-account"),
        ("rules.currency", "rules.currency"),
    ],
)
def test_what_a_flag_made_is_told_by_the_flag(field: str, told: str) -> None:
    assert refusals.told([(field, "is odd")]) == refusals.told_in_words(f"{field}: is odd") == [f"{told}: is odd"]


def test_what_is_said_names_flags_too() -> None:
    said = "is later than settings.as_of, the present: give a later settings.as_of."
    assert refusals.told([("trades[0].closed_at", said)]) == [
        "trades[0].closed_at: is later than --as-of, the present: give a later --as-of."
    ]


def test_a_text_that_names_no_field_stays_as_it_is(trades: Path) -> None:
    for text in ("", "Something else: went wrong", "Something else; trades[0].pnl: is bad"):
        assert refusals.told_in_words(text, trades) == [text]


def test_without_a_file_that_can_be_read_again_the_field_must_do(trades: Path, tmp_path: Path) -> None:
    bad = [("trades[9].pnl", "is bad")]
    os.mkfifo(tmp_path / "pipe")
    for path in (trades, tmp_path / "pipe", tmp_path / "gone"):
        assert refusals.told(bad, path) == ["trades[9].pnl: is bad"]
