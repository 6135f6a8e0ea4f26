"""Stress on the amounts of a history, against the definition in exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.history import History, build_history
from simulator.spec import REACH, Stress, TradingDay
from simulator.stress import stressed, stressed_amounts
from simulator.trades import Trades
from tests.unit.simulator.draws import MORNING, trade_of

AMOUNTS = st.integers(-50_000, 50_000)
HISTORIES = st.lists(st.tuples(AMOUNTS, st.integers(-50_000, 0), st.integers(0, 50_000)), min_size=1, max_size=12)
FACTORS = st.sampled_from([0.1, 0.5, 0.999999, 1.0, 1.1, 1.25, 1.5, 2.0, 3.3333333, 10.0]) | st.floats(0.1, 10)


def history_of(trades: list[tuple[int, int, int]]) -> History:
    return build_history(Trades.of(trade_of(MORNING, each) for each in trades), TradingDay())


def in_fractions(trades: list[tuple[int, int, int]], stress: Stress) -> list[tuple[int, int, int]]:
    """Each amount after each stress, rounded half to even as Python rounds."""
    volatility, losses = (
        Fraction(round(each * 10**6), 10**6) for each in (stress.volatility_factor, stress.loss_factor)
    )
    mean = Fraction(sum(pnl for pnl, _, _ in trades), len(trades))
    found = []
    for pnl, mae, mfe in trades:
        stretched = round(mean + volatility * (pnl - mean))
        lost = round(losses * stretched) if stretched < 0 else stretched
        low = round(losses * round(volatility * mae)) - stress.cost_minor
        found.append((lost - stress.cost_minor, low, round(volatility * mfe)))
    return found


@given(trades=HISTORIES, volatility=FACTORS, losses=FACTORS, cost=st.integers(0, 3_000))
def test_amounts_are_those_of_exact_fractions(
    trades: list[tuple[int, int, int]], volatility: float, losses: float, cost: int
) -> None:
    stress = Stress(volatility_factor=volatility, loss_factor=losses, cost_minor=cost)
    found = stressed(stress, history_of(trades))
    assert found.mae_minor is not None
    assert found.mfe_minor is not None
    columns = (found.pnl_minor.tolist(), found.mae_minor.tolist(), found.mfe_minor.tolist())
    assert list(zip(*columns, strict=True)) == in_fractions(trades, stress)


@pytest.mark.parametrize(
    ("pnl", "factor", "expected"), [((1, -1), 1.5, (2, -2)), ((3, -3), 1.5, (4, -4)), ((5, -5), 0.5, (2, -2))]
)
def test_ties_go_to_the_even_amount(pnl: tuple[int, int], factor: float, expected: tuple[int, int]) -> None:
    """1.5, 4.5 and 2.5 about a mean of 0."""
    found = stressed(Stress(volatility_factor=factor), history_of([(each, 0, 0) for each in pnl]))
    assert tuple(found.pnl_minor.tolist()) == expected


def test_a_part_of_a_millionth_decides_what_would_be_a_tie() -> None:
    """About a mean of 1/3, 1,500,001 becomes 1,500,002.500000667, whose whole millionths are a tie."""
    trades = [(1_500_001, 0, 0), (-1_500_000, 0, 0), (0, 0, 0)]
    stress = Stress(volatility_factor=1.000001)
    found = stressed(stress, history_of(trades)).pnl_minor.tolist()
    assert found[0] == 1_500_003
    assert found == [pnl for pnl, _, _ in in_fractions(trades, stress)]


def test_without_stress_the_history_is_the_same_object() -> None:
    history = history_of([(5, 0, 0)])
    assert stressed(Stress(fewer_winners=0.5, worst_day=True), history) is history


def test_amounts_of_the_largest_histories_are_exact_and_cut_at_reach() -> None:
    trades = [(REACH, -REACH, REACH), (-REACH, -REACH, 0), (REACH - 1, 0, 0)] * 5
    found = stressed(Stress(volatility_factor=10.0, loss_factor=10.0), history_of(trades))
    assert np.abs(found.pnl_minor).max() == REACH
    gentle = Stress(volatility_factor=0.1)
    assert stressed(gentle, history_of(trades)).pnl_minor.tolist() == [each[0] for each in in_fractions(trades, gentle)]


def test_days_stay_as_they_are() -> None:
    history = history_of([(5, 0, 0), (-7, 0, 0)])
    found = stressed(Stress(loss_factor=2.0), history)
    assert (found.day_start is history.day_start, found.last_day) == (True, history.last_day)


@given(FACTORS, FACTORS, st.integers(0, 3_000))
def test_unrounded_amounts_follow_the_same_definition_and_keep_their_order(
    volatility: float, losses: float, cost: int
) -> None:
    stress = Stress(volatility_factor=volatility, loss_factor=losses, cost_minor=cost)
    amounts, mean = np.linspace(-5_000, 5_000, 101), 12.5
    found = stressed_amounts(stress, amounts, mean)
    stretched = [mean + round(volatility, 6) * (each - mean) for each in amounts]
    expected = [(each * round(losses, 6) if each < 0 else each) - cost for each in stretched]
    assert found == pytest.approx(expected, abs=1e-6)
    assert (np.diff(found) > 0).all()
