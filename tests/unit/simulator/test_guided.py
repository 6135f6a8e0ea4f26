"""When the loss of a day is worth seeking: what a plan says of the least room that a day may open with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator import guided
from simulator.planning import Plan
from simulator.source import FITTED
from simulator.spec import DailyAnchor, DailyLoss, Model, Rules, Scaling, Settings
from tests.unit.simulator.draws import planned
from tests.unit.simulator.samples import FRESH, START, plan_of

DAYS = ((120, -80), (35, -60), (-150, 90, 10), (60, 60), (-40,))
"""By whole days, the lowest points are 0, -25, -150, 0 and -40."""


def plan(daily: DailyLoss | None, *, model: Model = Model.DAY, equity: int | None = None) -> Plan:
    rules = Rules(starting_balance_minor=START, daily_loss=daily)
    return plan_of(Settings(model=model), days=DAYS, rules=rules, account=replace(FRESH, equity_minor=equity))


@pytest.mark.parametrize(("limit", "possible"), [(40, True), (150, True), (151, False), (5_000, False)])
def test_a_loss_that_no_day_brings_is_not_sought(limit: int, possible: bool) -> None:
    assert (guided.weighting(plan(DailyLoss(limit_minor=limit))) is not None) is possible


@pytest.mark.parametrize(("limit", "ruled_out"), [(150, False), (151, True)])
def test_it_is_ruled_out_unless_scaling_makes_trades_larger(limit: int, ruled_out: bool) -> None:
    found = plan(DailyLoss(limit_minor=limit))
    scaling = Scaling(every_days=1, min_profit_minor=0, step_ppm=1_000_000, max_steps=1)
    larger = replace(found, spec=replace(found.spec, rules=replace(found.spec.rules, scaling=scaling)))
    assert guided.ruled_out(found) is ruled_out
    assert not guided.ruled_out(larger)
    assert guided.weighting(larger) is not None


def test_all_days_are_as_likely_the_one() -> None:
    found = guided.weighting(plan(DailyLoss(limit_minor=100)))
    assert found is not None
    assert found.within_a_day
    assert found.starts == plan(None).horizon_days


def test_today_may_have_lost_some_already() -> None:
    """Open trades stand 20 above the balance, and the loss is counted from there."""
    daily = DailyLoss(limit_minor=165, anchor=DailyAnchor.HIGHER_OF_BALANCE_AND_EQUITY)
    assert guided.weighting(plan(daily)) is None
    assert guided.weighting(plan(daily, equity=START + 20)) is not None


def test_a_share_of_an_account_may_become_little() -> None:
    assert guided.weighting(plan(DailyLoss(limit_minor=0, anchor_share_ppm=500_000))) is not None


@pytest.mark.parametrize("model", FITTED)
def test_fitted_trades_are_not_led(model: Model) -> None:
    assert guided.weighting(plan(DailyLoss(limit_minor=10), model=model)) is None


def test_without_the_rule_there_is_nothing_to_seek() -> None:
    assert guided.weighting(plan(None)) is None
    assert guided.draws(plan(None)) is None


@pytest.mark.parametrize("excursions", [True, False])
@pytest.mark.parametrize("model", [Model.IID, Model.DAY, Model.STATIONARY, Model.CIRCULAR])
def test_the_low_of_a_trade_counts_where_breaches_within_trades_are_looked_for(model: Model, excursions: bool) -> None:
    """The second trade loses nothing, and was down by 40, the day that it ends by 35."""
    days = (((5, -1, 6), (2, -40, 3)), ((1, -2, 4),))
    settings = Settings(model=model, block_length=1, excursions=excursions)
    found = guided.draws(planned(days, settings, daily_limit=35))
    assert found is not None
    assert found.guide is not None
    at_limit = found.guide.chances[found.guide.cell(35)].tolist()
    if not excursions:
        assert not any(at_limit)
    elif model is Model.DAY:
        assert at_limit == [1.0, 0.0]
    else:
        assert at_limit[1] == 1.0
        assert 0 < at_limit[0] < 1


def test_where_no_breach_is_possible_draws_are_plain() -> None:
    found = guided.draws(plan(DailyLoss(limit_minor=140)))
    assert found is not None
    assert found.guide is not None
    for table, chances in zip(found.tables, found.guide.chances, strict=True):
        expected = chances / chances.mean() if chances.any() else np.ones(5)
        assert table.ratio == pytest.approx(expected)
