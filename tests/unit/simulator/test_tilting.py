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
from simulator.tilting import Weighting, alias, candidates, lows, scores
from simulator.trades import Trade, Trades

TWO_32 = 1 << 32


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


@given(
    losses=st.lists(st.integers(-1000, 1000), min_size=1, max_size=40),
    strength=st.floats(0, 0.05),
)
def test_the_table_draws_with_the_weights(losses: list[int], strength: float) -> None:
    found = np.array(losses, float)
    table = alias(found, strength)
    wanted = np.exp(-strength * (found - found.min()))
    wanted /= wanted.sum()
    drawn = np.zeros(found.size)
    for index in range(found.size):
        share = int(table.cut[index]) / TWO_32
        drawn[index] += share / found.size
        drawn[int(table.other[index])] += (1 - share) / found.size
    assert drawn == pytest.approx(wanted, abs=found.size * 2.0**-31)
    assert table.ratio == pytest.approx(drawn * found.size, rel=1e-12)


def test_the_ratios_are_those_of_the_table_and_not_of_the_formula() -> None:
    """Their mean over uniform draws is 1 to the last bit or so: the estimate is unbiased whatever the rounding."""
    table = alias(np.array([3.0, -1.0, -2.0, 5.0, 0.0]), 0.7)
    assert math.fsum(table.ratio) == pytest.approx(5, abs=1e-14)


def test_the_strength_of_a_walk_is_the_logarithm_of_its_odds() -> None:
    """Up with 0.55, down with 0.45: exp(-θ) = q/p (Feller I, XIV)."""
    walk = np.array([1.0] * 11 + [-1.0] * 9)
    assert tilting._root(walk) == pytest.approx(math.log(11 / 9), rel=1e-12)


def test_a_losing_history_is_tilted_by_the_horizon() -> None:
    walk = np.array([1.0, -1.0, -1.0])
    tried = list(candidates(walk, distance=90, draws=100))
    assert tried
    strength = tilting._reaching(walk, 0.9)
    assert tilting._tilted_mean(walk, strength) == pytest.approx(-0.9)
    assert any(each.strength == pytest.approx(strength) for each in tried)


@pytest.mark.parametrize("flat", [[1.0, 2.0], [-1.0, -2.0], [0.0, 0.0]])
def test_nothing_is_tried_where_no_weights_help(flat: list[float]) -> None:
    assert list(candidates(np.array(flat), distance=10, draws=10)) == []


def test_candidates_are_finite_and_distinct() -> None:
    """Here two of three strengths are the steepest there may be: each is tried once, with two numbers of moments."""
    tried = list(candidates(np.array([100.0, -1.0]), distance=1e9, draws=1))
    assert len(tried) == 4
    assert tried[0].strength < 0.98 * tried[-1].strength
    assert all(isinstance(each, Weighting) and 0 < each.strength < math.inf for each in tried)


def test_the_scores_are_what_comes_with_a_draw() -> None:
    trades = history([5, -3], [2], [-7, 1, 4])
    assert scores(Model.IID, trades, 1) == pytest.approx([5, -3, 2, -7, 1, 4])
    assert scores(Model.DAY, trades, 0) == pytest.approx([2, 2, -2])
    assert scores(Model.CIRCULAR, trades, 2) == pytest.approx([2, -1, -5, -6, 5, 9])
    assert scores(Model.CIRCULAR, trades, 8) == pytest.approx([each + 2 for each in [2, -1, -5, -6, 5, 9]])
    assert scores(Model.NORMAL, trades, 1) is None
    stationary = scores(Model.STATIONARY, trades, 4)
    assert stationary is not None
    x = trades.pnl_minor
    for index in range(6):
        long = sum(0.75**k * x[(index + k) % 6] for k in range(200))
        assert stationary[index] == pytest.approx(long)


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
