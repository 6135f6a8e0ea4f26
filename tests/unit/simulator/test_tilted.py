"""What is scored of a plan's draws."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from simulator import engine, tilted, tilting
from simulator.spec import DrawdownKind, MaxDrawdown, Model, Rules, Settings, Spec
from simulator.trades import Trade, Trades
from tests.unit.simulator.samples import FRESH, START

MORNING = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize("model", [Model.IID, Model.DAY, Model.STATIONARY, Model.CIRCULAR])
@pytest.mark.parametrize("excursions", [True, False])
def test_low_points_within_trades_count_only_where_they_are_looked_for(model: Model, excursions: bool) -> None:
    trades = Trades.of(
        Trade(closed_at=MORNING + timedelta(days=day), pnl_minor=10 + day, mae_minor=-50, mfe_minor=20 + day)
        for day in range(8)
    )
    rules = Rules(starting_balance_minor=START, max_drawdown=MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=100))
    settings = Settings(model=model, block_length=1, excursions=excursions)
    plan = engine.plan(Spec(trades=trades, rules=rules, account=FRESH, settings=settings), "ab" * 32)
    low = tilted.scores(plan, by_low=True)
    assert low is not None
    assert bool(np.any(low < 0)) is excursions
    assert tilted.falls(plan) is excursions


@pytest.mark.parametrize(("kind", "falls"), [(DrawdownKind.STATIC, False), (DrawdownKind.TRAILING_INTRADAY, True)])
def test_a_day_that_ends_above_its_start_falls_below_what_trails_within_it(kind: DrawdownKind, falls: bool) -> None:
    trades = Trades.of(
        Trade(closed_at=MORNING + timedelta(seconds=at), pnl_minor=pnl) for at, pnl in enumerate((9, -5))
    )
    rules = Rules(starting_balance_minor=START, max_drawdown=MaxDrawdown(kind=kind, allowance_minor=5))
    spec = Spec(trades=trades, rules=rules, account=FRESH, settings=Settings(model=Model.DAY))
    assert tilted.falls(engine.plan(spec, "ab" * 32)) is falls


@pytest.mark.parametrize(
    ("horizon_days", "reach", "moments"), [(60, 1.0, tilting.MOMENTS), (5, 1.0, 10), (60, 0.1, 12), (1, 0.1, 1)]
)
def test_a_tilt_begins_at_no_more_moments_than_there_are_trades(horizon_days: int, reach: float, moments: int) -> None:
    trades = Trades.of(Trade(closed_at=MORNING + timedelta(days=day), pnl_minor=10 - 3 * day) for day in range(8))
    settings = Settings(horizon_days=horizon_days, trades_per_day=2)
    spec = Spec(trades=trades, rules=Rules(starting_balance_minor=START), account=FRESH, settings=settings)
    tried = list(tilted.weightings(engine.plan(spec, "ab" * 32), 100.0, tilting.MOMENTS, reach))
    assert tried
    assert {each.starts for each in tried} == {moments}
