"""The 95% interval of importance sampling holds the exact probability for 92% to 98% of the seeds.

400 seeds of each account, with the pilots and the main run that a simulation would have; see
`tests.unit.simulator.coverage` for how sure that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from simulator.spec import DailyLoss, DrawdownKind, MaxDrawdown, Model, Rules, Settings
from simulator.tally import Outcome
from tests.statistical.closed_forms import ruin, ruin_of_blocks_within, ruin_within, ruin_within_a_day
from tests.statistical.simulation import FRESH, START, rare_events
from tests.unit.simulator.coverage import assert_nominal, holds
from tests.unit.simulator.samples import plan_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SEEDS = 400


def heavy_tailed() -> list[int]:
    """100 whole numbers with fat tails."""
    return np.rint(np.random.default_rng(1).standard_t(4, 100) * 3 + 1.7).astype(int).tolist()


def held(
    history: Sequence[int], rules: Rules, settings: Settings, outcome: Outcome, truth: float, *, trades_a_day: int = 1
) -> float:
    """The share of the seeds for which there is a figure and its interval holds the truth."""
    hits, days = 0, [list(history[first : first + trades_a_day]) for first in range(0, len(history), trades_a_day)]
    for seed in range(SEEDS):
        plan = plan_of(replace(settings, seed=seed, paths=1), days=days, rules=rules, account=FRESH)
        [event] = rare_events(plan, [outcome])
        hits += holds(event.estimate, truth)
    return hits / SEEDS


@pytest.mark.parametrize(
    ("history", "room", "days", "about"), [([1] * 11 + [-1] * 9, 30, 150, 4e-4), (heavy_tailed(), 120, 60, 5e-5)]
)
def test_intervals_of_a_rare_ruin_cover_nominally(history: list[int], room: int, days: int, about: float) -> None:
    truth = ruin_within(history, room, days)
    assert truth == pytest.approx(about, rel=0.2)
    rules = Rules(
        starting_balance_minor=START, max_drawdown=MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=room)
    )
    settings = Settings(model=Model.IID, trades_per_day=1, horizon_days=days)
    assert_nominal(held(history, rules, settings, Outcome.BREACHED_MAX_DRAWDOWN, truth))


def test_intervals_of_a_rare_fall_to_a_floor_that_trails_cover_nominally() -> None:
    """Paths end with their target, after 300 of 3,000 days; before each step to a new height they may fall."""
    room, target = 50, 30
    truth = 1 - (1 - ruin(0.55, room, room + 1)) ** target
    assert 1e-4 < truth < 1e-3
    drawdown = MaxDrawdown(kind=DrawdownKind.TRAILING_END_OF_DAY, allowance_minor=room)
    rules = Rules(starting_balance_minor=START, max_drawdown=drawdown, target_minor=START + target)
    settings = Settings(model=Model.IID, trades_per_day=1, horizon_days=3_000)
    history = [1] * 11 + [-1] * 9
    assert_nominal(held(history, rules, settings, Outcome.BREACHED_MAX_DRAWDOWN, truth))


@pytest.mark.parametrize("length", [2, 6])
def test_intervals_of_a_rare_ruin_by_blocks_cover_nominally(length: float) -> None:
    room, days = 95, 60
    truth = ruin_of_blocks_within(heavy_tailed(), length, room, days)
    assert 1e-6 < truth < 1e-3
    rules = Rules(
        starting_balance_minor=START, max_drawdown=MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=room)
    )
    settings = Settings(model=Model.STATIONARY, block_length=length, trades_per_day=1, horizon_days=days)
    assert_nominal(held(heavy_tailed(), rules, settings, Outcome.BREACHED_MAX_DRAWDOWN, truth))


def test_intervals_of_a_rare_daily_loss_cover_nominally() -> None:
    """Days are independent here, and nothing else ends a path."""
    limit, trades, days = 70, 6, 10
    truth = 1 - (1 - ruin_within(heavy_tailed(), limit, trades)) ** days
    assert 1e-5 < truth < 1e-3
    rules = Rules(starting_balance_minor=START, daily_loss=DailyLoss(limit_minor=limit))
    settings = Settings(model=Model.IID, trades_per_day=trades, horizon_days=days)
    assert_nominal(held(heavy_tailed(), rules, settings, Outcome.BREACHED_DAILY_LOSS, truth))


def test_intervals_of_a_rare_daily_loss_cover_nominally_where_days_end_by_chance() -> None:
    """With blocks of one trade a day ends with one in four, and is independent of the others."""
    limit, days, history = 80, 10, heavy_tailed()
    truth = 1 - (1 - ruin_within_a_day(history, [False, False, False, True] * 25, limit)) ** days
    assert 1e-6 < truth < 1e-3
    rules = Rules(starting_balance_minor=START, daily_loss=DailyLoss(limit_minor=limit))
    settings = Settings(model=Model.STATIONARY, block_length=1, horizon_days=days)
    assert_nominal(held(history, rules, settings, Outcome.BREACHED_DAILY_LOSS, truth, trades_a_day=4))
