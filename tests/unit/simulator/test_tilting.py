"""The weights of importance sampling: what is drawn how often, and which strengths are tried."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import tilting
from simulator.history import History, build_history
from simulator.spec import Model, TradingDay
from simulator.tilting import Weighting, candidates, lows, scores
from simulator.trades import Trade, Trades


def history(*days: list[int]) -> History:
    """A history of these days, one trade an hour."""
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    return build_history(
        Trades.of(
            Trade(closed_at=begin + timedelta(days=day, hours=hour), pnl_minor=pnl)
            for day, trades in enumerate(days)
            for hour, pnl in enumerate(trades)
        ),
        TradingDay(),
    )


def test_the_strength_of_a_walk_is_the_logarithm_of_its_odds() -> None:
    """Up with 0.55, down with 0.45: exp(-θ) = q/p (Feller I, XIV)."""
    walk = np.array([1.0] * 11 + [-1.0] * 9)
    assert tilting.root(walk) == pytest.approx(math.log(11 / 9), rel=1e-3)
    assert tilting.strength(walk, 0.01) == tilting.root(walk)


def test_a_losing_history_is_tilted_by_the_horizon() -> None:
    """Up with 1/4 instead of 1/3 where a draw is to lose 0.5: exp(-2 θ) = 2/3."""
    walk = np.array([1.0, -1.0, -1.0])
    assert tilting.strength(walk, 0.5) == pytest.approx(math.log(3 / 2) / 2, rel=1e-3)


@pytest.mark.parametrize(
    ("found", "by_pnl", "by_low"),
    [
        ([1.0, 2.0], False, False),
        ([-1.0, -2.0], False, True),
        ([-1.0, -1.0], False, False),
        ([0.0, 0.0], False, False),
        ([3.0, -1.0], True, True),
    ],
)
def test_nothing_is_tried_where_no_weights_help(found: list[float], by_pnl: bool, by_low: bool) -> None:
    assert tilting.helps(np.array(found)) is by_pnl
    assert tilting.helps(np.array(found), by_low=True) is by_low


def test_candidates_are_about_the_middle_and_distinct() -> None:
    """Here two of the strengths would be beyond the steepest there may be: it is tried once."""
    tried = list(candidates(1.0, most=0.9, starts=8, reach=0.5))
    assert tried == [Weighting(strength=strength, starts=8, reach=0.5) for strength in (0.8, 0.9)]


def test_the_scores_are_what_comes_with_a_draw() -> None:
    trades = history([5, -3], [2], [-7, 1, 4])
    assert scores(Model.IID, trades, 1) == pytest.approx([5, -3, 2, -7, 1, 4])
    assert scores(Model.DAY, trades, 0) == pytest.approx([2, 2, -2])
    assert scores(Model.CIRCULAR, trades, 2) == pytest.approx([2, -1, -5, -6, 5, 9])
    assert scores(Model.CIRCULAR, trades, 8) == pytest.approx([each + 2 for each in [2, -1, -5, -6, 5, 9]])
    assert scores(Model.NORMAL, trades, 1) is None
    assert scores(Model.STATIONARY, trades, 4) == pytest.approx([5, -3, 2, -7, 1, 4])


@given(
    days=st.lists(st.lists(st.integers(-50, 50), min_size=1, max_size=6), min_size=1, max_size=8),
    block_length=st.integers(1, 60),
    model=st.sampled_from([Model.IID, Model.DAY, Model.STATIONARY, Model.CIRCULAR]),
    with_lows=st.booleans(),
)
def test_the_lows_are_the_lowest_points_within_a_draw(
    days: list[list[int]], block_length: int, model: Model, with_lows: bool
) -> None:
    trades = history(*days)
    worst = trades.pnl_minor - np.arange(trades.trades) % 7 if with_lows else trades.pnl_minor
    if with_lows:
        trades = replace(trades, mae_minor=worst)
    found = lows(model, trades, block_length)
    assert found is not None
    assert found.tolist() == [lowest(trades, draw) for draw in draws(model, trades, block_length)]


def draws(model: Model, trades: History, block_length: int) -> list[list[int]]:
    """The trades of each draw, by their place in the history; of a block on average."""
    count = trades.trades
    match model:
        case Model.IID:
            return [[index] for index in range(count)]
        case Model.DAY:
            return [
                list(range(start, start + size))
                for start, size in zip(trades.day_start.tolist(), trades.day_trades.tolist(), strict=True)
            ]
        case _:
            return [[(index + k) % count for k in range(min(block_length, count))] for index in range(count)]


def lowest(trades: History, draw: list[int]) -> int:
    worst = trades.pnl_minor if trades.mae_minor is None else np.minimum(trades.pnl_minor, trades.mae_minor)
    balance, least = 0, []
    for index in draw:
        least.append(balance + int(worst[index]))
        balance += int(trades.pnl_minor[index])
    return min(least)
