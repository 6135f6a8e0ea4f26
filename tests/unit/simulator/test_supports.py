"""What equal values leave open of a mean: no error is 0 unless nothing else can come, and none is alarming."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from simulator import crew, engine, result
from simulator.engine import Plan
from simulator.estimate import NO_OTHER
from simulator.found import Found
from simulator.histogram import Histogram
from simulator.scenarios import Paired, plan_under
from simulator.spec import (
    DailyAction,
    DailyLoss,
    DrawdownKind,
    MaxDrawdown,
    Model,
    Payout,
    Phase,
    Rules,
    Scaling,
    Scenario,
    Settings,
    Spec,
    Stress,
)  # fmt: skip
from simulator.supports import of_differences, supports
from simulator.tally import Tally
from simulator.trades import Trade, Trades
from tests.unit.simulator.samples import FRESH, MORNING, START, plan_of

PATHS = 5_000
FLOOR = MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=400)
FUNDED = Rules(starting_balance_minor=START, max_drawdown=FLOOR)
ALIKE = ((-525,),) * 20
UNLIKE = ((120, -80), (35,), (-150, 90, 10), (60, 60), (-40,))


def plan(days: Sequence[Sequence[int]] = UNLIKE, rules: Rules = FUNDED, **settings: object) -> Plan:
    chosen = {"paths": PATHS, "horizon_days": 10, "model": Model.IID, "seed": 7} | settings
    return plan_of(Settings(**chosen), days=days, rules=rules)  # type: ignore[arg-type]  # by name


def tally_of(*, breached: int = 0, days: Sequence[int] = (), **values: int) -> Tally:
    """Made-up paths with the same value each of these figures."""
    figures = {name: Histogram.of(np.full(PATHS, value, np.int32)) for name, value in values.items()}
    outcomes = (0, breached, 0, PATHS - breached)
    filled = {name: Histogram.of(np.zeros(PATHS, np.int32)) for name in ("final_pnl", "max_drawdown", "trades_to_end")}
    return replace(
        Tally.empty(),
        paths=PATHS,
        steps=PATHS,
        outcomes=outcomes,
        days_to_breach=Histogram.of(np.array(days, np.int32)),
        **(filled | figures),
    )


def test_days_of_two_breaches_that_are_the_same_do_not_tell_the_mean_to_the_day() -> None:
    mean = result.build(plan(horizon_days=4), tally_of(breached=2, days=[4, 4]), 0).days_to_breach.mean
    assert (mean.value, mean.ci_high) == (4, 4)
    assert 1 < mean.ci_low < 3.33


def test_days_that_no_path_was_paused_on_may_yet_come() -> None:
    rules = replace(FUNDED, daily_loss=DailyLoss(limit_minor=150, action=DailyAction.PAUSE))
    mean = result.build(plan(rules=rules), tally_of(paused_days=0), 0).paused_days.mean
    assert mean.value == mean.ci_low == 0
    assert 1.85e-4 < mean.ci_high < 0.01
    assert mean.std_error == pytest.approx(mean.ci_high / (2 * 1.959964), rel=1e-6)


def test_what_no_path_was_paid_may_yet_be_paid_up_to_the_caps() -> None:
    payout = Payout(floor_minor=START, every_days=5, caps_minor=(100, 300), splits_ppm=(800_000,))
    found = result.build(plan(rules=replace(FUNDED, payout=payout)), tally_of(payout=0, payouts=0), 0)
    share = found.outcomes.breached_max_drawdown.ci_high
    assert found.payouts.mean.ci_high == pytest.approx(2 * share)
    assert found.payout.mean.ci_high == pytest.approx(2 * 3 * 0.8 * share)


def test_a_mean_of_paths_that_can_be_no_other_is_exact() -> None:
    found = result.build(plan(ALIKE, rules=Rules(starting_balance_minor=START)), tally_of(final_pnl=-5_250), 0)
    mean = found.final_pnl.mean
    assert (mean.value, mean.std_error, mean.ci_low, mean.ci_high) == (-52.5, 0, -52.5, -52.5)
    assert found.trades_to_end.mean.std_error == 0


@pytest.mark.parametrize(
    "unlike",
    [
        plan([*ALIKE, (-524,)]),
        plan([*ALIKE, (-525, -525)]),
        plan(((-525, -525),) * 10, model=Model.STATIONARY),
        plan(ALIKE, stress=Stress(worst_day=True)),
    ],
    ids=["amount", "day", "joined days", "worst day"],
)
def test_paths_of_which_one_may_differ_are_not_alike(unlike: Plan) -> None:
    assert supports(plan(ALIKE)).final_pnl == NO_OTHER
    assert supports(unlike).final_pnl != NO_OTHER


def test_an_error_that_is_as_good_as_none_is_shown_small() -> None:
    """Every path ends at the floor, or takes all of its trades: hardly any doubt, and no open interval."""
    found = result.build(plan(model=Model.STATIONARY), tally_of(final_pnl=-400, max_drawdown=400, trades_to_end=1), 0)
    for figure, most in ((found.final_pnl, 0.2), (found.max_drawdown, 0.2), (found.trades_to_end, 0.2)):
        assert 0 < figure.mean.ci_high - figure.mean.ci_low < most * abs(figure.mean.value) + most


def test_floor_and_target_bound_what_paths_end_with() -> None:
    bounded = supports(plan(rules=replace(FUNDED, target_minor=START + 500))).final_pnl
    assert (bounded.low, bounded.high) == (-400 - 150, 500 + 120)
    free = supports(plan(rules=Rules(starting_balance_minor=START))).final_pnl
    assert (free.low, free.high) == (-150 * 30, 120 * 30)
    grown = Scaling(every_days=5, min_profit_minor=1, step_ppm=500_000, max_steps=2)
    assert supports(plan(rules=replace(FUNDED, scaling=grown))).final_pnl.high == (240 + 2) * 30


def test_where_every_trade_loses_a_floor_may_be_met_within_one_and_where_every_one_wins_a_phase_begins_anew() -> None:
    trades = Trades.of(
        Trade(closed_at=MORNING + timedelta(days=day), pnl_minor=-300 - day, mae_minor=-500) for day in range(5)
    )
    within = Spec(trades=trades, rules=FUNDED, account=FRESH, settings=Settings(horizon_days=10))
    assert supports(engine.plan(within, "ab" * 32)).final_pnl.high == 0
    phases = tuple(Phase(target_minor=START + 50) for _ in range(2))
    winners = ((10,), (20,), (30,))
    assert supports(plan(winners, Rules(starting_balance_minor=START, phases=phases))).final_pnl.low == 0
    assert supports(plan(winners, Rules(starting_balance_minor=START))).final_pnl.low == 10


def test_a_scenario_that_moved_no_path_may_move_one_unless_it_asks_nothing() -> None:
    pair = Paired(joint=(*(0,) * 15, PATHS), total=5, squares=25)
    asked = (Scenario(name="worse", stress=Stress(cost_minor=5)), Scenario(name="the same", stress=Stress()))
    built = result.build(plan(scenarios=asked), Found(tally=tally_of(), pairs=(pair, pair)), 0)
    moved, same = (each.mean_final_pnl_difference for each in built.scenarios)
    assert moved.value == 0
    assert -0.1 < moved.ci_low < 0 < moved.ci_high < 0.1
    assert moved.std_error > 0
    assert (same.value, same.std_error, same.ci_low, same.ci_high) == (0, 0, 0, 0)


def test_what_a_scenario_changes_is_bounded_though_the_simulation_proper_has_one_path_alone() -> None:
    base = plan(ALIKE, rules=Rules(starting_balance_minor=START))
    found = of_differences(base, plan_under(base, Scenario(name="a day", stress=Stress(worst_day=True))))
    assert found.low < -525 < found.high


def test_bounds_hold_of_the_paths_of_a_simulation() -> None:
    planned = plan(model=Model.STATIONARY, block_length=2, paths=512)
    tally, within = crew.simulate(planned).tally, supports(planned)
    for name in ("final_pnl", "max_drawdown", "trades_to_end"):
        values, support = getattr(tally, name).bin_means, getattr(within, name)
        assert support.low <= values.min() <= values.max() <= support.high
