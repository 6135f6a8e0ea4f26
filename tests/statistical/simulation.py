"""Small accounts simulated in this process, and how far a figure may lie from what is known to be true.

A figure that is tested here must lie within 4.5 standard errors of the truth: a right engine fails it with probability
6.8e-6. The standard error of a probability is that of the true one, not the one that was estimated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import sqrt

from montecarlo.v1.result_pb2 import Estimate, SimulationResult
from simulator import engine, rare, result
from simulator.histogram import Histogram
from simulator.launching import Launcher
from simulator.planning import Plan
from simulator.rare_event import RareEvent
from simulator.spec import Account, Model, Rules, Settings
from simulator.tally import Outcome, Tally
from tests.unit.simulator.samples import plan_of

ALLOWED_ERRORS = 4.5
START = 1_000_000
"""Balance at the start, in minor units: far above whatever the account may lose."""

FRESH = Account(balance_minor=START, high_water_mark_minor=START)
NO_RULES = Rules(starting_balance_minor=START)
ONE_A_DAY = Settings(model=Model.IID, trades_per_day=1)


def walk(wins: int, losses: int) -> Sequence[Sequence[int]]:
    """A history of days with one trade, of one minor unit."""
    return ((1,),) * wins + ((-1,),) * losses


def simulated(
    history: Sequence[Sequence[int]],
    rules: Rules,
    *,
    days: int,
    paths: int,
    seed: int,
    account: Account = FRESH,
    settings: Settings = ONE_A_DAY,
) -> tuple[SimulationResult, Tally]:
    """The result, and what it is made of, for an account with this history, each day the P&Ls of its trades in minor
    units."""
    settings = replace(settings, horizon_days=days, paths=paths, seed=seed)
    plan = plan_of(settings, days=history, rules=rules, account=account)
    tally = engine.simulate(plan)
    return result.build(plan, tally, 0.0), tally


def rare_events(plan: Plan, outcomes: Iterable[Outcome], *, threads: int = 1) -> tuple[RareEvent, ...]:
    """`rare.estimate` on so many threads."""
    with Launcher(threads) as launcher:
        return rare.estimate(plan, outcomes, launcher)


def assert_probability(found: Estimate, truth: float, paths: int, bias: float = 0.0) -> None:
    """`bias`: how far the truth may be from what was simulated, for a stated reason."""
    assert_count(round(found.value * paths), truth, paths, bias)


def assert_figure(found: Estimate, truth: float, bias: float = 0.0) -> None:
    """`bias` as of `assert_probability`."""
    assert found.std_error > 0
    assert abs(found.value - truth) <= ALLOWED_ERRORS * found.std_error + bias, (found.value, truth, found.std_error)


def count_below(figure: Histogram, value: int) -> int:
    """Paths whose figure is less than a value below 2,048, where bins are single numbers."""
    return int(figure.counts[figure.keys < value].sum())


def assert_count(count: int, truth: float, paths: int, bias: float = 0.0) -> None:
    """So many of the paths, where each is one with probability `truth`."""
    off = abs(count / paths - truth)
    assert off <= ALLOWED_ERRORS * sqrt(truth * (1 - truth) / paths) + bias, (count / paths, truth)
