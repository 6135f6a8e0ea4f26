"""Nominal 95% intervals of a whole simulation's figures cover the truth in 92% to 98% of repeated small ones.

500 simulations of 1,000 paths, each with its own seed; the truth is a simulation of half a million, whose own error
widens an interval by 0.1%. The standard error of a coverage is 1.0 point, so an interval that covers 95% fails with
probability 3e-3 (the seeds are fixed: it does not), and one that covers 89% passes with probability 2e-2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from montecarlo.v1.result_pb2 import Estimate, SimulationResult
from simulator import engine, result, sections
from simulator.found import Found
from simulator.planning import Plan
from simulator.sections import Section
from simulator.spec import (
    Account,
    DailyLoss,
    DrawdownKind,
    MaxDrawdown,
    Rules,
    Scenario,
    Settings,
    Spec,
    Stress,
)
from simulator.trades import Trade, Trades

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RUNS = 500
PATHS = 1_000
BLOCK = 1_024
TRUTH_PATHS = 512 * BLOCK
START = 5_000_000

FIGURES: dict[str, Callable[[SimulationResult], Estimate]] = {
    "probability": lambda found: found.outcomes.passed,
    "rarer probability": lambda found: found.outcomes.breached_daily_loss,
    "mean": lambda found: found.final_pnl.mean,
    "median": lambda found: found.max_drawdown.quantiles[3].estimate,
    "quantile 95%": lambda found: found.max_drawdown.quantiles[5].estimate,
    "value at risk 95%": lambda found: found.final_pnl.tails[0].value_at_risk,
    "expected shortfall 95%": lambda found: found.final_pnl.tails[0].expected_shortfall,
    "conditional mean": lambda found: found.days_to_breach.mean,
    "paired difference of probabilities": lambda found: found.scenarios[0].differences.passed,
    "paired difference of rarer probabilities": lambda found: found.scenarios[0].differences.breached_daily_loss,
    "paired difference of means": lambda found: found.scenarios[0].mean_final_pnl_difference,
}


def plan_of(seed: int, paths: int) -> Plan:
    """200 heavy-tailed trades on 80 days under four rules, and the same with larger losses beside it."""
    rng = np.random.default_rng(40)
    pnl = np.rint(rng.standard_t(4, 200) * 20_000 + 3_000).astype(int).tolist()
    first = datetime(2026, 1, 5, 10, tzinfo=UTC)
    trades = Trades.of(
        Trade(closed_at=first + timedelta(days=2 * index // 5, seconds=index), pnl_minor=each)
        for index, each in enumerate(pnl)
    )
    rules = Rules(
        starting_balance_minor=START,
        max_drawdown=MaxDrawdown(kind=DrawdownKind.TRAILING_END_OF_DAY, allowance_minor=250_000),
        daily_loss=DailyLoss(limit_minor=120_000),
        target_minor=START + 300_000,
    )
    worse = Scenario(name="worse", stress=Stress(loss_factor=1.1))
    settings = Settings(paths=paths, horizon_days=30, seed=seed, scenarios=(worse,))
    account = Account(balance_minor=START, high_water_mark_minor=START)
    plan = engine.plan(Spec(trades=trades, rules=rules, account=account, settings=settings), "ab" * 32)
    return replace(plan, block_paths=BLOCK, blocks=-(-paths // BLOCK), fan_paths=0)


def built(plan: Plan) -> SimulationResult:
    found = Found()
    for first in range(0, plan.blocks, 64):
        found += sections.run(plan, Section.PATHS, first, 64)
    return result.build(plan, found, 0.0)


@pytest.fixture(scope="module")
def coverage() -> dict[str, float]:
    """How often each interval held the truth."""
    long = built(plan_of(2**40, TRUTH_PATHS))
    truth = {name: figure(long).value for name, figure in FIGURES.items()}
    hits = dict.fromkeys(FIGURES, 0)
    for found in _runs():
        for name, figure in FIGURES.items():
            hits[name] += figure(found).ci_low <= truth[name] <= figure(found).ci_high
    return {name: count / RUNS for name, count in hits.items()}


def _runs() -> Iterator[SimulationResult]:
    for seed in range(RUNS):
        yield built(plan_of(seed, PATHS))


@pytest.mark.parametrize("name", FIGURES)
def test_intervals_of_simulated_figures_cover_nominally(name: str, coverage: dict[str, float]) -> None:
    assert 0.92 <= coverage[name] <= 0.98, f"The intervals of the {name} cover {coverage[name]:.1%}, not 95%."
