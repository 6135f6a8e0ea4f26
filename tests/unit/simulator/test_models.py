"""What the models draw: blocks, days, replaced winners and the worst day, as `simulator.kernel.models` defines them.

Seeds are fixed. A chi-squared test here fails for a right engine with probability 1e-4; there are eight of them.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from simulator.spec import REACH, DrawdownKind, Model, Scaling, Settings, Stress
from simulator.trades import Trades
from tests.unit.simulator.draws import drawn, planned

FALSE_ALARM = 1e-4
NUMBERED = ((1, 2, 3), (4,), (5, 6), (7, 8, 9, 10), (11,))
"""A history whose trades tell which they are."""

RESAMPLING = (Model.IID, Model.DAY, Model.STATIONARY, Model.CIRCULAR)
FITTED = (Model.NORMAL, Model.STUDENT_T)


def assert_uniform(counts: npt.NDArray[np.integer]) -> None:
    assert stats.chisquare(counts).pvalue > FALSE_ALARM


def scattered(days: int, seed: int) -> tuple[tuple[int, ...], ...]:
    """Days of one to four trades with t-distributed P&Ls."""
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 5, days)
    return tuple(tuple(np.rint(900 * generator.standard_t(5, size) + 40).astype(int).tolist()) for size in sizes)


# Blocks.


@pytest.mark.parametrize("length", [1, 2, 5, 11])
def test_a_circular_block_is_so_many_trades_in_a_row_wrapping_round(length: int) -> None:
    plan = planned(NUMBERED, Settings(model=Model.CIRCULAR, block_length=length, trades_per_day=3, seed=11))
    at = drawn(plan, 2_000, 4 * length).pnl - 1
    within = np.arange(4 * length) % length != 0
    follows = np.diff(at, axis=0) % 11 == 1
    assert follows[within[1:]].all()
    assert_uniform(np.bincount(at[~within].ravel(), minlength=11))


def test_a_circular_block_may_be_the_whole_of_a_long_history() -> None:
    """So many trades of blocks so long are more than 32 bits count."""
    days = tuple(tuple(range(10_000 * day + 1, 10_000 * (day + 1) + 1)) for day in range(7))
    plan = planned(days, Settings(model=Model.CIRCULAR, block_length=70_000, trades_per_day=3, seed=11))
    at = drawn(plan, 50, 40).pnl - 1
    assert (np.diff(at, axis=0) % 70_000 == 1).all()
    assert np.unique(at[0]).size > 40


def test_successive_circular_blocks_are_independent() -> None:
    plan = planned(NUMBERED, Settings(model=Model.CIRCULAR, block_length=3, trades_per_day=3, seed=12))
    starts = drawn(plan, 20_000, 6).pnl[[0, 3]] - 1
    assert_uniform(np.bincount(starts[0] * 11 + starts[1], minlength=121))


@pytest.mark.parametrize("model", [Model.STATIONARY, Model.CIRCULAR])
def test_a_day_of_blocks_ends_with_a_trade_that_ended_its_day(model: Model) -> None:
    found = drawn(planned(NUMBERED, Settings(model=model, block_length=4, seed=13)), 500, 40)
    assert (found.over == np.isin(found.pnl, [3, 4, 6, 10, 11])).all()


# Days of the fitted models.


@pytest.mark.parametrize("model", FITTED)
def test_days_of_a_fitted_model_are_as_long_as_those_of_the_history(model: Model) -> None:
    days = scattered(60, seed=1)
    found = drawn(planned(days, Settings(model=model, seed=14)), 20_000, 4)
    length = found.over.argmax(axis=0) + 1
    expected = np.bincount([len(day) for day in days], minlength=5)[1:] / len(days)
    assert stats.chisquare(np.bincount(length, minlength=5)[1:], expected * 20_000).pvalue > FALSE_ALARM


def test_the_length_of_a_day_says_nothing_of_the_amounts_of_a_fitted_model() -> None:
    """The amount's tenth, counted from the lowest, against whether the trade ended its day, on first trades."""
    days = scattered(60, seed=1)
    found = drawn(planned(days, Settings(model=Model.STUDENT_T, seed=15)), 40_000, 1)
    tenth = np.argsort(np.argsort(found.pnl[0])) * 10 // 40_000
    table = np.histogram2d(tenth, found.over[0], bins=(10, 2))[0]
    assert stats.chi2_contingency(table).pvalue > FALSE_ALARM


@pytest.mark.parametrize("model", FITTED)
def test_a_fitted_model_draws_each_trade_on_its_own(model: Model) -> None:
    """Correlation of successive trades: 0 with a standard error of 1 / sqrt(n); 4 of them fail with 6e-5."""
    found = drawn(planned(scattered(60, seed=2), Settings(model=model, trades_per_day=1, seed=16)), 20_000, 2)
    assert abs(stats.spearmanr(*found.pnl).statistic) < 4 / np.sqrt(20_000)


# Excursions.


def with_excursions(days: int, seed: int) -> tuple[tuple[tuple[int, int, int], ...], ...]:
    """The scattered days with an MAE and an MFE of every trade; some are milder than the P&L, as real data have it."""
    generator = np.random.default_rng(seed)

    def excursions(pnl: int) -> tuple[int, int, int]:
        return pnl, -int(generator.integers(0, 900)), int(generator.integers(0, 900))

    return tuple(tuple(excursions(pnl) for pnl in day) for day in scattered(days, seed))


@pytest.mark.parametrize("model", RESAMPLING)
def test_low_and_high_are_those_of_the_trade_that_was_drawn(model: Model) -> None:
    days = with_excursions(20, seed=3)
    found = drawn(planned(days, Settings(model=model, seed=17)), 300, 20)
    known = {(pnl, min(mae, pnl), max(mfe, pnl)) for day in days for pnl, mae, mfe in day}
    assert set(zip(found.pnl.flat, found.low.flat, found.high.flat, strict=True)) == known


@pytest.mark.parametrize(
    ("kind", "model", "excursions", "low", "high"),
    [
        (DrawdownKind.TRAILING_INTRADAY, Model.IID, True, True, True),
        (DrawdownKind.STATIC, Model.IID, True, True, False),
        (DrawdownKind.STATIC, Model.IID, False, False, False),
        (DrawdownKind.TRAILING_INTRADAY, Model.STUDENT_T, True, False, False),
    ],
)
def test_excursions_are_loaded_where_a_rule_looks_at_them(
    kind: DrawdownKind, model: Model, *, excursions: bool, low: bool, high: bool
) -> None:
    plan = planned(with_excursions(20, seed=3), Settings(model=model, excursions=excursions, seed=1), kind=kind)
    trades = drawn(plan, 4, 2).trades
    assert (plan.excursions, trades.low is not None, trades.high is not None) == (low, low, high)


@pytest.mark.parametrize(
    ("kind", "known", "used"),
    [
        (DrawdownKind.STATIC, (5, -7, None), True),
        (DrawdownKind.TRAILING_END_OF_DAY, (5, -7, None), True),
        (DrawdownKind.TRAILING_INTRADAY, (5, -7, None), False),
        (DrawdownKind.TRAILING_INTRADAY, (5, -7, 9), True),
        (DrawdownKind.STATIC, (5, None, 9), False),
    ],
)
def test_excursions_are_used_where_every_trade_has_what_the_rule_needs(
    kind: DrawdownKind, known: tuple[int, int | None, int | None], *, used: bool
) -> None:
    plan = planned(with_excursions(20, seed=3), Settings(seed=1), kind=kind)
    pnl, mae, mfe = known
    one = replace(plan.spec.trades[4], pnl_minor=pnl, mae_minor=mae, mfe_minor=mfe)
    spec = replace(plan.spec, trades=Trades.of([*plan.spec.trades[:4], one, *plan.spec.trades[5:]]))
    from simulator import engine

    assert engine.plan(spec, "5a" * 32).excursions is used


# Stress that draws.


@pytest.mark.parametrize("share", [0.25, 1.0])
@pytest.mark.parametrize("model", [*RESAMPLING, *FITTED])
def test_so_many_winners_are_replaced_by_losers_drawn_alike(model: Model, share: float) -> None:
    days, settings = with_excursions(40, seed=4), Settings(model=model, seed=18)
    plain = drawn(planned(days, settings), 3_000, 20)
    found = drawn(planned(days, replace(settings, stress=Stress(fewer_winners=share))), 3_000, 20)
    replaced = found.pnl != plain.pnl
    assert (plain.pnl[replaced] > 0).all()
    losers, times = np.unique([pnl for day in days for pnl, _, _ in day if pnl < 0], return_counts=True)
    counts = np.bincount(np.searchsorted(losers, found.pnl[replaced]), minlength=losers.size)
    assert stats.chisquare(counts, times / times.sum() * replaced.sum()).pvalue > FALSE_ALARM
    winners = int((plain.pnl > 0).sum())
    assert stats.binomtest(int(replaced.sum()), winners, share).pvalue > FALSE_ALARM
    if model in RESAMPLING:
        known = {(pnl, min(mae, pnl), max(mfe, pnl)) for day in days for pnl, mae, mfe in day}
        assert set(zip(found.pnl.flat, found.low.flat, found.high.flat, strict=True)) <= known


@pytest.mark.parametrize("trades_per_day", [None, 3])
@pytest.mark.parametrize("model", [*RESAMPLING, *FITTED])
def test_the_worst_day_strikes_the_first_trade_of_one_day_of_each_path(
    model: Model, trades_per_day: int | None
) -> None:
    if model is Model.DAY and trades_per_day:
        return
    days = with_excursions(40, seed=5)
    settings = Settings(model=model, seed=19, horizon_days=5, trades_per_day=trades_per_day)
    plain = drawn(planned(days, settings), 4_000, 60)
    found = drawn(planned(days, replace(settings, stress=Stress(worst_day=True))), 4_000, 60)
    worst = min(sum(pnl for pnl, _, _ in day) for day in days)
    blow = found.pnl - plain.pnl
    assert set(np.unique(blow)) == {worst, 0}
    assert ((blow == worst).sum(axis=0) == 1).all()
    assert found.first[blow == worst].all()
    assert_uniform(np.bincount(found.day[blow == worst] - 1, minlength=5))
    if model in RESAMPLING:
        assert (found.low - plain.low == blow).all()
        assert (found.high == plain.high).all()


def test_the_worst_day_is_looked_for_after_the_other_stress() -> None:
    """The first day lost most, and the cost makes the second, of many trades, the worst."""
    days = ((-100,), (-10, -10, 3, 4, -20, 1), (500,))
    stress = Stress(cost_minor=50, worst_day=True)
    plan = planned(days, Settings(model=Model.IID, seed=1, stress=stress))
    assert plan.source.worst_day_minor == -10 - 10 + 3 + 4 - 20 + 1 - 6 * 50


def test_a_winner_that_the_cost_turns_into_a_loser_is_drawn_in_place_of_winners() -> None:
    stress = Stress(cost_minor=10, fewer_winners=1.0)
    found = drawn(planned(((5, 80),), Settings(model=Model.IID, seed=1, stress=stress)), 200, 5)
    assert set(np.unique(found.pnl)) == {-5}


def test_a_fitted_trade_of_the_worst_day_is_cut_at_reach() -> None:
    """Of normal trades with a deviation of 1.07e8, one in ten loses more than the 1.37e8 that the worst day leaves."""
    days = ((-200_000_000, -200_000_000), *((100_000_000,), (-100_000_000,)) * 20)
    settings = Settings(model=Model.NORMAL, horizon_days=1, seed=20, stress=Stress(worst_day=True))
    first = drawn(planned(days, settings), 2_000, 1).pnl[0]
    assert first.min() == -REACH
    assert 0.05 < (first == -REACH).mean() < 0.2


# Scaling.


def test_a_step_of_scaling_is_rounded_half_to_even() -> None:
    """Every amount up to 200 around zero, in steps of 12.5% and 1/3: ties and all."""
    amounts = tuple(range(-200, 201))
    for share in (125_000, 333_333, 500_000, 1_000_000):
        scaling = Scaling(every_days=5, min_profit_minor=1, step_ppm=share, max_steps=3)
        found = drawn(planned((amounts,), Settings(model=Model.IID, seed=2), scaling=scaling), 2_000, 4)
        expected = np.vectorize(lambda pnl: round(Fraction(pnl * share, 1_000_000)))(found.pnl)  # noqa: B023
        assert (np.asarray(found.trades.step_pnl) == expected).all()


def test_a_step_of_large_amounts_is_exact() -> None:
    generator = np.random.default_rng(8)
    amounts = tuple(int(each) for each in generator.integers(-(2**29), 2**29, 400) | 1)
    scaling = Scaling(every_days=5, min_profit_minor=1, step_ppm=500_000, max_steps=3)
    found = drawn(planned((amounts,), Settings(model=Model.IID, seed=2, horizon_days=4), scaling=scaling), 2_000, 2)
    expected = np.vectorize(lambda pnl: round(Fraction(int(pnl), 2)))(found.pnl)
    assert (np.asarray(found.trades.step_pnl) == expected).all()
