"""Simulated trades of a normal and of a Student-t distribution against closed forms and quadrature.

One standard deviation is 10,000 minor units. Trades are rounded to one of these, and a quantile of the fitted law is
off by less than 4e-5 of itself: both move a probability here by less than 2e-5, a hundredth of its standard error.

False alarms: seeds are fixed, and each of the 20 figures fails a right engine with probability 6.8e-6: any of them with
less than 1.4e-4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np
import pytest
from scipy import stats

from montecarlo.v1.result_pb2 import SimulationResult
from simulator.fit import fit
from simulator.shortfall import expected_shortfall
from simulator.spec import DailyAction, DailyLoss, DrawdownKind, MaxDrawdown, Model, Rules, Settings
from simulator.tally import Tally
from tests.statistical import closed_forms as known
from tests.statistical.simulation import ALLOWED_ERRORS, NO_RULES, START, assert_figure, assert_probability, simulated
from tests.statistical.stream import even

SIGMA = 10_000
DOLLARS = SIGMA / 100
PATHS = 1 << 16
NORMAL = Settings(model=Model.NORMAL, trades_per_day=1)


def history(drift: float) -> Sequence[Sequence[int]]:
    """Two trades whose mean is the drift and whose standard deviation is 1, in units of SIGMA."""
    return ((round((drift + 1) * SIGMA),), (round((drift - 1) * SIGMA),))


def walls(room: float, target: float) -> Rules:
    """Lost `room` below the start, passed `target` above it, in units of SIGMA."""
    return replace(
        NO_RULES,
        max_drawdown=MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=round(room * SIGMA)),
        target_minor=START + round(target * SIGMA),
    )


def test_a_floor_is_touched_as_a_discretely_watched_brownian_motion_touches_it() -> None:
    """Floor 10 below the start, drift .05, 100 trades. .1803118 if it were watched all the time."""
    settings = replace(NORMAL, trades_per_day=2)
    found, _ = simulated(history(0.05), walls(10, 10_000), days=50, paths=PATHS, seed=21, settings=settings)
    assert_probability(found.outcomes.breached_max_drawdown, 0.1599747, PATHS)
    shifted = known.brownian_touch(10 + known.BGK, 0.05, 100)
    assert_probability(found.outcomes.breached_max_drawdown, shifted, PATHS, bias=5e-4)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_small_steps_tend_to_brownian_motion() -> None:
    """Each of those trades in 400: the floor is 200 standard deviations of one below the start. With the barrier .5826
    of them further away .1793; what is left of the bias is far below the standard error."""
    steps, paths = 400, 1 << 13
    unit = sqrt(steps)
    settings = replace(NORMAL, trades_per_day=2 * steps)
    rules = walls(10 * unit, 10_000)
    found, _ = simulated(history(0.05 / unit), rules, days=50, paths=paths, seed=22, settings=settings)
    shifted = known.brownian_touch(10 + known.BGK / unit, 0.05, 100)
    assert_probability(found.outcomes.breached_max_drawdown, shifted, paths)
    assert shifted == pytest.approx(0.1803118, abs=1.2e-3)


def test_ten_up_before_ten_down() -> None:
    """Drift .05: by quadrature; .7310586 for Brownian motion, whose barriers are .5826 further away here."""
    settings = replace(NORMAL, trades_per_day=100)
    found, _ = simulated(history(0.05), walls(10, 10), days=50, paths=PATHS, seed=23, settings=settings)
    assert_probability(found.outcomes.passed, known.normal_walk(-10, 10, 0.05, 5_000)[1], PATHS)
    shifted = known.brownian_rise_first(10 + known.BGK, 10 + known.BGK, 0.05)
    assert_probability(found.outcomes.passed, shifted, PATHS, bias=1e-5)
    assert shifted == pytest.approx(0.7310586, abs=0.012)


def daily_limit(action: DailyAction) -> Rules:
    return replace(NO_RULES, daily_loss=DailyLoss(limit_minor=SIGMA * 5 // 2, action=action))


def test_a_daily_limit_of_two_and_a_half_standard_deviations() -> None:
    """60 days of one trade: 1 - (1 - Φ(-2.5))^60."""
    found, _ = simulated(history(0), daily_limit(DailyAction.FAIL), days=60, paths=PATHS, seed=24, settings=NORMAL)
    assert_probability(found.outcomes.breached_daily_loss, 0.3118452, PATHS)
    p = float(stats.norm.sf(2.5))
    assert_figure(found.trades_to_end.mean, (1 - (1 - p) ** 60) / p)


@pytest.mark.slow
def test_a_daily_limit_that_pauses_is_reached_on_a_binomial_number_of_days() -> None:
    """60 days of two trades each, the second not taken after a loss of 2.5 standard deviations in the first."""
    settings = replace(NORMAL, trades_per_day=2)
    rules = daily_limit(DailyAction.PAUSE)
    found, _ = simulated(history(0), rules, days=60, paths=PATHS, seed=25, settings=settings)
    first = float(stats.norm.sf(2.5))
    neither = float(stats.multivariate_normal([0, 0], [[1, 1], [1, 2]]).cdf([2.5, 2.5]))
    assert_figure(found.paused_days.mean, 60 * (1 - neither))
    assert_figure(found.trades_to_end.mean, 60 * (2 - first))
    assert found.outcomes.expired.value == 1


def one_trade(days: Sequence[Sequence[int]], model: Model, seed: int) -> tuple[SimulationResult, Tally]:
    """The P&L of one trade; the rule is out of reach and only shares a compilation."""
    rules = replace(NO_RULES, daily_loss=DailyLoss(limit_minor=10**8))
    return simulated(days, rules, days=1, paths=PATHS, seed=seed, settings=replace(NORMAL, model=model))


def test_value_at_risk_and_shortfall_of_a_normal_trade() -> None:
    found, tally = one_trade(history(0), Model.NORMAL, seed=26)
    _, tail = found.final_pnl.tails
    assert_figure(tail.value_at_risk, 2.326348 * DOLLARS)
    assert_figure(tail.expected_shortfall, 2.665214 * DOLLARS)
    shortfall = expected_shortfall(tally.final_pnl, 0.975)
    assert abs(shortfall.value - 2.337803 * SIGMA) < ALLOWED_ERRORS * shortfall.std_error
    assert_figure(found.final_pnl.mean, 0)


def quantiles_of_t4() -> list[int]:
    return [round(SIGMA * each) for each in stats.t.ppf((np.arange(5_000) + 0.5) / 5_000, 4)]


def test_value_at_risk_and_shortfall_of_a_student_t_trade() -> None:
    """A history of 5,000 quantiles of t(4): its fit, by maximum likelihood, is t(4.009), whose figures are within .003
    of those of t(4); so little does the history leave out of the tails."""
    pnls = quantiles_of_t4()
    fitted = fit(Model.STUDENT_T, np.array(pnls, np.int32))
    assert fitted is not None
    assert fitted.freedom == pytest.approx(4, abs=0.02)
    found, _ = one_trade([(pnl,) for pnl in pnls], Model.STUDENT_T, seed=27)
    _, tail = found.final_pnl.tails
    assert_figure(tail.value_at_risk, 3.746947 * DOLLARS, bias=0.003 * DOLLARS)
    assert_figure(tail.expected_shortfall, 5.220584 * DOLLARS, bias=0.003 * DOLLARS)


def test_normal_trades_have_the_whole_law() -> None:
    assert_alike(history(0), Model.NORMAL, stats.norm())


def test_student_t_trades_have_the_whole_law() -> None:
    assert_alike([(pnl,) for pnl in quantiles_of_t4()], Model.STUDENT_T, stats.t(4.009))


def assert_alike(days: Sequence[Sequence[int]], model: Model, law: Any) -> None:
    """200 classes that are alike in the law: chi-square, false-alarm rate 1e-6 each."""
    _, tally = one_trade(days, model, seed=28)
    classes = np.searchsorted(law.ppf(np.arange(1, 200) / 200) * SIGMA, tally.final_pnl.bin_means)
    assert 5e-7 < even(np.repeat(classes, tally.final_pnl.counts), 200) < 1 - 5e-7
