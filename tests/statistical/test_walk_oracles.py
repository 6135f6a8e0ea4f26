"""Simulated walks of one unit a trade against their closed forms.

False alarms: seeds are fixed, and each of the 13 figures fails a right engine with probability 6.8e-6 (two figures of
Brownian motion are allowed the stated bias of a walk besides): any of them with less than 1e-4.
"""

from __future__ import annotations

from dataclasses import replace
from math import exp, sqrt

import numpy as np
import pytest

from simulator.spec import Account, BreachOperator, DrawdownKind, MaxDrawdown, Model, Rules, Settings
from tests.statistical import closed_forms as known
from tests.statistical.simulation import (
    ALLOWED_ERRORS,
    NO_RULES,
    START,
    assert_count,
    assert_figure,
    assert_probability,
    count_below,
    simulated,
    walk,
)  # fmt: skip
from tests.statistical.stream import even

OUT_OF_REACH = START + 10**8
DAYS = 50
"""Of all simulations; their steps are as many trades a day as it takes, so that they share their compilations."""


def two_walls(room: int, target: int) -> Rules:
    """Lost `room` below the start, passed `target` above it."""
    return replace(
        NO_RULES,
        max_drawdown=MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=room),
        target_minor=START + target,
    )


def trailing(allowance: int, target_minor: int, lock: int | None = None) -> Rules:
    """A floor that trails the highest balance seen."""
    rule = MaxDrawdown(kind=DrawdownKind.TRAILING_INTRADAY, allowance_minor=allowance, lock_minor=lock)
    return replace(NO_RULES, max_drawdown=rule, target_minor=target_minor)


def per_day(trades: int) -> Settings:
    """So many trades a day, drawn one by one."""
    return Settings(model=Model.IID, trades_per_day=trades)


def test_a_fair_walk_touches_a_barrier_as_the_reflection_principle_says() -> None:
    """100 steps, barrier at -10: P(S <= -10) + P(S < -10)."""
    paths = 1 << 16
    found, _ = simulated(walk(1, 1), two_walls(10, 10**8), days=DAYS, paths=paths, seed=3, settings=per_day(2))
    assert_probability(found.outcomes.breached_max_drawdown, 0.3197273207, paths)


@pytest.mark.parametrize(("operator", "room"), [(BreachOperator.AT_OR_BELOW, 10), (BreachOperator.BELOW, 9)])
def test_a_loaded_walk_rises_first(operator: BreachOperator, room: int) -> None:
    """+10 before -10 with p = 21/40: r = 19/21 is near e^-0.1, so this is near the Brownian .7310586."""
    paths = 1 << 16
    rules = replace(two_walls(room, 10), breach=operator)
    found, _ = simulated(walk(21, 19), rules, days=DAYS, paths=paths, seed=5, settings=per_day(100))
    rise = 1 - known.ruin(21 / 40, 10, 20)
    assert_probability(found.outcomes.passed, rise, paths)
    assert rise == pytest.approx(0.7310586, abs=2e-4)
    assert found.outcomes.expired.value == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ruin_against_a_favourable_coin_is_rare() -> None:
    """p = .55 from 50, with no wall above: (9/11)^50. Paths are let go 75 further up, from where they are ruined with
    1.3e-11. 2,097,152 paths: 92 are ruined on average."""
    paths = 1 << 21
    found, _ = simulated(walk(11, 9), two_walls(50, 75), days=DAYS, paths=paths, seed=6, settings=per_day(200))
    assert_probability(found.outcomes.breached_max_drawdown, 4.39026984e-5, paths)
    assert found.outcomes.expired.value == 0


def test_an_intraday_trailing_floor_that_locks_at_the_start() -> None:
    """Allowance d = 20, locked at the starting balance, target a = 30: (d / (d + 1))^d d/a."""
    paths = 1 << 16
    found, _ = simulated(
        walk(1, 1), trailing(20, START + 30, START), days=DAYS, paths=paths, seed=4, settings=per_day(100)
    )
    assert_probability(found.outcomes.passed, 0.2512597, paths)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("allowance", [20, pytest.param(120, marks=pytest.mark.slow)])
def test_an_intraday_trailing_floor_is_near_that_of_brownian_motion(allowance: int) -> None:
    """Allowance L = d steps, target 1.5 L: (d / (d + 1))^1.5d for the walk, e^-1.5 for Brownian motion; the walk's
    excess is 0.75/d of that to first order, and less than 1/d."""
    paths, limit = 1 << 15, exp(-1.5)
    rules = trailing(allowance, START + allowance * 3 // 2)
    found, _ = simulated(walk(1, 1), rules, days=DAYS, paths=paths, seed=7, settings=per_day(10_000))
    assert_probability(found.outcomes.passed, known.new_peaks(allowance, allowance * 3 // 2), paths)
    assert_probability(found.outcomes.passed, limit, paths, bias=limit / allowance)
    assert found.outcomes.expired.value == 0


def test_an_account_below_its_high_water_mark_has_less_room() -> None:
    """Trailing by 20 from a mark 15 above the balance: 5 down, or 15 up and then as from a new peak."""
    paths = 1 << 16
    account = Account(balance_minor=START, high_water_mark_minor=START + 15)
    found, _ = simulated(
        walk(1, 1), trailing(20, START + 30), days=DAYS, paths=paths, seed=8, account=account, settings=per_day(100)
    )
    assert_probability(found.outcomes.passed, 5 / 20 * known.new_peaks(20, 15), paths)


def test_six_straight_losses_in_a_hundred_trades() -> None:
    """Each win of six makes a new peak, so a floor six below it is reached by six straight losses alone."""
    paths = 1 << 16
    found, _ = simulated(((6,), (-1,)), trailing(6, OUT_OF_REACH), days=DAYS, paths=paths, seed=9, settings=per_day(2))
    assert_probability(found.outcomes.breached_max_drawdown, 0.5460936, paths)


def test_the_largest_fall_of_a_fair_walk() -> None:
    """P(fall < k) exactly, for k near the 37%, 50% and 95% points; the same, and the mean and quantiles of the report,
    against Brownian motion: a fall of less than k is one of at most (k + 1/2) / sqrt(n), and 49.5 is sqrt(n) here. So
    the walk's fall is one step less on average."""
    paths, steps = 1 << 15, 2_450
    found, tally = simulated(walk(1, 1), NO_RULES, days=DAYS, paths=paths, seed=10, settings=per_day(49))
    falls = found.max_drawdown
    for size in (49, 57, 111):
        assert_count(count_below(tally.max_drawdown, size), known.largest_fall_below(size, steps), paths)
    unit = sqrt(steps) / 100  # of one standard deviation, in dollars
    assert_count(count_below(tally.max_drawdown, 49), 0.3707774, paths, bias=2e-4)
    assert_figure(falls.mean, 1.253314 * unit - 0.01, bias=2e-4)
    for quantile, level, limit in ((falls.quantiles[3], 0.5, 1.148973), (falls.quantiles[5], 0.95, 2.241403)):
        size = round(quantile.estimate.value * 100)
        off = ALLOWED_ERRORS * sqrt(level * (1 - level) / paths)
        at_most = known.largest_fall_below(size + 1, steps)
        assert known.largest_fall_below(size, steps) - off < level < at_most + off
        # A quantile is a whole number of steps, and as uncertain as a probability over the chance of one step.
        step = at_most - known.largest_fall_below(size, steps)
        assert abs(size - (limit * unit * 100 - 1)) < 0.5 + off / step


def test_every_trade_of_the_history_is_drawn_alike() -> None:
    """61 losses, each of its own size, and paths that end with the first: chi-square, false-alarm rate 1e-6."""
    history = [(-each,) for each in range(1, 62)]
    _, tally = simulated(history, two_walls(1, 10**8), days=DAYS, paths=1 << 16, seed=11)
    drawn = np.repeat(-tally.final_pnl.keys, tally.final_pnl.counts)
    assert 5e-7 < even(drawn - 1, 61) < 1 - 5e-7
