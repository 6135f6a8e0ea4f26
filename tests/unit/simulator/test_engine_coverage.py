"""Nominal 95% intervals of a whole simulation's figures cover the truth in 92% to 98% of repeated small ones.

1,000 simulations of 1,000 paths of each account; `tests.unit.simulator.coverage` says how sure that is. The ends of a
quantile's interval are values, and hold all that is equal to them: where a figure takes few values, it covers more than
95%. So days are looked at on a horizon so long that hardly one holds more than 0.5% of the paths.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest

from simulator.spec import (
    Account,
    DailyAction,
    DailyLoss,
    DrawdownKind,
    MaxDrawdown,
    Payout,
    Phase,
    Rules,
    Scenario,
    Settings,
    Spec,
    Stress,
)
from simulator.trades import Trade, Trades
from tests.unit.simulator.coverage import Case, assert_nominal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

START = 5_000_000
WORSE = Scenario(name="worse", stress=Stress(loss_factor=1.1))
FIRST = datetime(2026, 1, 5, 10, tzinfo=UTC)


def trades() -> Trades:
    """200 heavy-tailed ones on 80 days."""
    rng = np.random.default_rng(40)
    pnl = np.rint(rng.standard_t(4, 200) * 20_000 + 3_000).astype(int).tolist()
    return Trades.of(
        Trade(closed_at=FIRST + timedelta(days=2 * index // 5, seconds=index), pnl_minor=each)
        for index, each in enumerate(pnl)
    )


def spec_of(rules: Rules, settings: Settings) -> Spec:
    return Spec(
        trades=trades(),
        rules=rules,
        account=Account(balance_minor=START, high_water_mark_minor=START),
        settings=settings,
    )


def assessed(seed: int, paths: int) -> Spec:
    """Four rules for 30 days, and the same with larger losses beside it."""
    rules = Rules(
        starting_balance_minor=START,
        max_drawdown=MaxDrawdown(kind=DrawdownKind.TRAILING_END_OF_DAY, allowance_minor=250_000),
        daily_loss=DailyLoss(limit_minor=120_000),
        target_minor=START + 300_000,
    )
    return spec_of(rules, Settings(paths=paths, horizon_days=30, seed=seed, scenarios=(WORSE,)))


def lasting(seed: int, paths: int) -> Spec:
    """One trade a day, for years."""
    rules = Rules(
        starting_balance_minor=START,
        max_drawdown=MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=400_000),
        target_minor=START + 900_000,
    )
    return spec_of(rules, Settings(paths=paths, horizon_days=1_000, trades_per_day=1, seed=seed))


def phased(seed: int, paths: int) -> Spec:
    """Two phases, and days that a loss ends."""
    rules = Rules(
        starting_balance_minor=START,
        max_drawdown=MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=250_000),
        daily_loss=DailyLoss(limit_minor=50_000, action=DailyAction.PAUSE),
        phases=(Phase(target_minor=START + 200_000), Phase(target_minor=START + 100_000)),
    )
    return spec_of(rules, Settings(paths=paths, horizon_days=60, seed=seed))


def funded(seed: int, paths: int) -> Spec:
    """Withdrawals every five days of what is above a floor."""
    rules = Rules(
        starting_balance_minor=START,
        max_drawdown=MaxDrawdown(kind=DrawdownKind.TRAILING_END_OF_DAY, allowance_minor=250_000, lock_minor=START),
        payout=Payout(floor_minor=START + 100_000, every_days=5, least_minor=5_000, splits_ppm=(800_000,)),
    )
    return spec_of(rules, Settings(paths=paths, horizon_days=60, seed=seed))


CASES = {
    "assessed": Case(
        spec=assessed,
        figures={
            "probability": lambda found: found.outcomes.passed,
            "rarer probability": lambda found: found.outcomes.breached_daily_loss,
            "mean": lambda found: found.final_pnl.mean,
            "median": lambda found: found.max_drawdown.quantiles[3].estimate,
            "quantile 95%": lambda found: found.max_drawdown.quantiles[5].estimate,
            "value at risk 95%": lambda found: found.final_pnl.tails[0].value_at_risk,
            "expected shortfall 95%": lambda found: found.final_pnl.tails[0].expected_shortfall,
            "expected shortfall 99%": lambda found: found.final_pnl.tails[1].expected_shortfall,
            "conditional mean": lambda found: found.days_to_breach.mean,
            "mean trades to the end": lambda found: found.trades_to_end.mean,
            "paired difference of probabilities": lambda found: found.scenarios[0].differences.passed,
            "paired difference of rarer probabilities": lambda found: (
                found.scenarios[0].differences.breached_daily_loss
            ),
            "paired difference of means": lambda found: found.scenarios[0].mean_final_pnl_difference,
            "5% quantile of the fan's middle day": lambda found: found.equity_fan.days[15].quantiles[0].estimate,
            "median of the fan's middle day": lambda found: found.equity_fan.days[15].quantiles[2].estimate,
            "95% quantile of the fan's middle day": lambda found: found.equity_fan.days[15].quantiles[4].estimate,
        },
    ),
    "lasting": Case(
        spec=lasting,
        figures={
            "mean days to pass": lambda found: found.days_to_pass.mean,
            "5% quantile of days to pass": lambda found: found.days_to_pass.quantiles[1].estimate,
            "median days to pass": lambda found: found.days_to_pass.quantiles[3].estimate,
            "95% quantile of days to pass": lambda found: found.days_to_pass.quantiles[5].estimate,
            "median days to breach": lambda found: found.days_to_breach.quantiles[3].estimate,
            "95% quantile of days to breach": lambda found: found.days_to_breach.quantiles[5].estimate,
            "median trades to the end": lambda found: found.trades_to_end.quantiles[3].estimate,
            "25% quantile of trades to the end": lambda found: found.trades_to_end.quantiles[2].estimate,
        },
    ),
    "phased": Case(
        spec=phased,
        figures={
            "second phase reached": lambda found: found.phases[1].reached,
            "second phase passed": lambda found: found.phases[1].passed,
            "mean paused days": lambda found: found.paused_days.mean,
        },
    ),
    "funded": Case(
        spec=funded,
        figures={
            "mean payout": lambda found: found.payout.mean,
            "median payout": lambda found: found.payout.quantiles[3].estimate,
            "95% quantile of the payout": lambda found: found.payout.quantiles[5].estimate,
            "mean number of payouts": lambda found: found.payouts.mean,
        },
    ),
}


@cache
def coverage(case: str) -> dict[str, float]:
    return CASES[case].coverage()


@pytest.mark.parametrize(("case", "figure"), [(case, each) for case, of in CASES.items() for each in of.figures])
def test_intervals_of_simulated_figures_cover_nominally(case: str, figure: str) -> None:
    assert_nominal(coverage(case)[figure], figure)
