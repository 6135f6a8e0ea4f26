"""Values known exactly, and what the engine finds for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import sqrt
from typing import Any, Final

import numpy as np

from montecarlo.v1.result_pb2 import Estimate
from scripts.methodology.accounts import START, by_importance, plan_of, simulated, walls
from simulator import engine, estimate
from simulator.block_length import CIRCULAR_VARIANCE, STATIONARY_VARIANCE, optimal_length
from simulator.shortfall import expected_shortfall
from simulator.spec import DailyLoss, DrawdownKind, MaxDrawdown, Model, Rules, Settings
from simulator.tally import Outcome

Row = dict[str, Any]

PATHS: Final = 1 << 16
SIGMA: Final = 10_000
"""Minor units of one standard deviation."""

NEVER: Final = 10**8
SERIES: Final = (1.0, -2.0, 3.0, -1.0, 0.5, 2.5, -1.5, 0.0)


def all_rows() -> list[Row]:
    """Every oracle beside what was found."""
    found: list[Row] = []
    for oracle in (ruin, reflection, locked_trail, straight_losses, normal_floor, daily_limit, *TAILS):
        found += oracle()
    return [*found, *bootstrap_means(), *block_lengths(), *rare_ruin()]


def row(name: str, truth: float, value: float, error: float, *, allowed: float = 0.0) -> Row:
    """A line of the table; `off`: distance from the truth in standard errors, beyond what is `allowed` for a reason."""
    off = max(abs(value - truth) - allowed, 0.0) / error if error else None
    return {"name": name, "truth": truth, "engine": value, "std_error": error, "off": off}


def coin(wins: int, losses: int) -> tuple[int, ...]:
    """A history of won and lost trades of one minor unit."""
    return (1,) * wins + (-1,) * losses


def ruin() -> Iterator[Row]:
    """Feller I, XIV: p = .45, 90 above ruin and 10 below the target."""
    settings = Settings(paths=PATHS // 2, horizon_days=100, model=Model.IID, trades_per_day=100, seed=1)
    found = simulated(plan_of(coin(9, 11), walls(90, 10), settings))
    yield known("ruin, p = .45, from 90 between 0 and 100", 0.8655694, found.outcomes.breached_max_drawdown)
    yield known("… its mean duration", 765.5694, found.trades_to_end.mean)


def reflection() -> Iterator[Row]:
    """A fair walk of 100 steps touches -10."""
    settings = Settings(paths=PATHS, horizon_days=50, model=Model.IID, trades_per_day=2, seed=3)
    found = simulated(plan_of(coin(1, 1), walls(10, NEVER), settings))
    yield known("fair walk of 100 steps touches −10", 0.3197273207, found.outcomes.breached_max_drawdown)


def locked_trail() -> Iterator[Row]:
    """Intraday trailing by 20, locked at the start, target 30."""
    rule = MaxDrawdown(kind=DrawdownKind.TRAILING_INTRADAY, allowance_minor=20, lock_minor=START)
    settings = Settings(paths=PATHS, horizon_days=50, model=Model.IID, trades_per_day=100, seed=4)
    found = simulated(plan_of(coin(1, 1), replace(walls(target=30), max_drawdown=rule), settings))
    yield known("intraday trailing by 20, locked at the start, target 30", 0.2512597, found.outcomes.passed)


def straight_losses() -> Iterator[Row]:
    """Each win of six makes a new peak, so a floor six below is reached by six straight losses alone."""
    settings = Settings(paths=PATHS, horizon_days=50, model=Model.IID, trades_per_day=2, seed=9)
    rules = walls(6, NEVER, DrawdownKind.TRAILING_INTRADAY)
    found = simulated(plan_of((6, -1), rules, settings))
    yield known("six straight losses in 100 fair trades", 0.5460936, found.outcomes.breached_max_drawdown)


def normal_floor() -> Iterator[Row]:
    """Floor 10 below the start, drift .05, 100 normal steps: .1599747 by quadrature."""
    settings = Settings(paths=PATHS, horizon_days=50, model=Model.NORMAL, trades_per_day=2, seed=21)
    found = simulated(plan_of(normal_history(0.05), walls(10 * SIGMA, NEVER), settings))
    yield known("normal steps, drift .05, floor 10 below, 100 steps", 0.1599747, found.outcomes.breached_max_drawdown)


def daily_limit() -> Iterator[Row]:
    """60 days of one normal trade: 1 - (1 - Φ(-2.5))^60."""
    rules = Rules(starting_balance_minor=START, daily_loss=DailyLoss(limit_minor=SIGMA * 5 // 2))
    settings = Settings(paths=PATHS, horizon_days=60, model=Model.NORMAL, trades_per_day=1, seed=24)
    found = simulated(plan_of(normal_history(0), rules, settings))
    yield known("daily limit of 2.5σ, 60 days", 0.3118452, found.outcomes.breached_daily_loss)


def normal_tail() -> Iterator[Row]:
    """One normal trade."""
    plan = plan_of(normal_history(0), out_of_reach(), one_trade(Model.NORMAL, 26))
    pnl = engine.simulate(plan, threads=1).final_pnl
    yield in_sigmas("normal, VaR 99%", 2.326348, estimate.value_at_risk(pnl, 0.99))
    yield in_sigmas("normal, ES 99%", 2.665214, expected_shortfall(pnl, 0.99))
    yield in_sigmas("normal, ES 97.5%", 2.337803, expected_shortfall(pnl, 0.975))


def student_tail() -> Iterator[Row]:
    """One trade of the Student-t that is fitted to 5,000 quantiles of t(4)."""
    from scipy import stats  # noqa: PLC0415 — slow to import, and only this needs it

    quantiles = stats.t.ppf((np.arange(5_000) + 0.5) / 5_000, 4)
    plan = plan_of([round(SIGMA * each) for each in quantiles], out_of_reach(), one_trade(Model.STUDENT_T, 27))
    pnl = engine.simulate(plan, threads=1).final_pnl
    yield in_sigmas("t(4), fitted, VaR 99%", 3.746947, estimate.value_at_risk(pnl, 0.99), allowed=0.003)
    yield in_sigmas("t(4), fitted, ES 99%", 5.220584, expected_shortfall(pnl, 0.99), allowed=0.003)


TAILS: Final[tuple[Callable[[], Iterator[Row]], ...]] = (normal_tail, student_tail)


def bootstrap_means() -> Iterator[Row]:
    """The variance of the mean of as many trades as the history has (Politis & Romano 1992, 1994)."""
    cases = (
        ("variance of the mean, iid", Model.IID, None, 0.35888672),
        ("… stationary, mean block 2", Model.STATIONARY, 2.0, 0.17670345),
        ("… circular, block 4", Model.CIRCULAR, 4.0, 0.11914063),
    )
    for name, model, length, truth in cases:
        settings = Settings(
            paths=PATHS, horizon_days=1, model=model, block_length=length, trades_per_day=len(SERIES), seed=31
        )
        pnl = engine.simulate(plan_of([round(10 * each) for each in SERIES], walls(), settings), threads=1).final_pnl
        sums = np.repeat(pnl.keys, pnl.counts)  # below 2,048, where a bin is a single number
        means = sums / (10 * len(SERIES)) - np.mean(SERIES)
        second, fourth = float((means**2).mean()), float((means**4).mean())
        yield row(name, truth, second, sqrt((fourth - second**2) / PATHS))


def block_lengths() -> Iterator[Row]:
    """The AR(.3) series of arch's own test."""
    series = np.random.RandomState(0).standard_normal(10_000 + 100)
    for at in range(1, series.size):
        series[at] += 0.3 * series[at - 1]
    yield row("automatic length, stationary", 13.635665, optimal_length(series[100:], STATIONARY_VARIANCE), 0.0)
    yield row("automatic length, circular", 15.60894, optimal_length(series[100:], CIRCULAR_VARIANCE), 0.0)


def rare_ruin() -> Iterator[Row]:
    """p = .55 from 50 and from 100: (9/11)^z."""
    for room in (50, 100):
        settings = Settings(paths=1, horizon_days=3_000, model=Model.IID, trades_per_day=1, seed=20_261_123)
        [event] = by_importance(plan_of(coin(11, 9), walls(room), settings), [Outcome.BREACHED_MAX_DRAWDOWN])
        yield row(f"ruin, p = .55, from {room}", (9 / 11) ** room, event.probability, event.std_error)


def known(name: str, truth: float, found: Estimate) -> Row:
    """An oracle for a figure of the result."""
    return row(name, truth, found.value, found.std_error)


def in_sigmas(name: str, truth: float, found: estimate.Estimate, *, allowed: float = 0.0) -> Row:
    """An oracle for a figure in minor units."""
    return row(name, truth, found.value / SIGMA, found.std_error / SIGMA, allowed=allowed)


def normal_history(drift: float) -> tuple[int, int]:
    """Two trades whose mean is the drift and whose standard deviation is 1, in units of SIGMA."""
    return round((drift + 1) * SIGMA), round((drift - 1) * SIGMA)


def out_of_reach() -> Rules:
    """A rule that never decides."""
    return Rules(starting_balance_minor=START, daily_loss=DailyLoss(limit_minor=NEVER))


def one_trade(model: Model, seed: int) -> Settings:
    """One day of one trade."""
    return Settings(paths=PATHS, horizon_days=1, model=model, trades_per_day=1, seed=seed)
