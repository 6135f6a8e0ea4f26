"""Warnings go by what the paths are drawn from and by what was asked for, and say no more than is so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from simulator import crew, engine, result
from simulator.caveats import Code, caveats
from simulator.diagnostics import diagnose
from simulator.engine import Plan
from simulator.spec import (
    Account,
    DrawdownKind,
    EstimationRisk,
    MaxDrawdown,
    Model,
    PrecisionTarget,
    Rules,
    Settings,
    Spec,
    Stress,
)
from simulator.tally import Tally
from simulator.trades import Trade, Trades
from tests.unit.simulator.samples import MORNING, START

WINNERS = ((1_000, 2_000), (500, 3_000)) * 15
FLOOR = 10_000
CALM = Stress()
RULES = Rules(
    starting_balance_minor=START * 500, max_drawdown=MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=FLOOR)
)


def plan_of(
    days: Sequence[Sequence[int]] = WINNERS,
    *,
    mae: Sequence[int] = (),
    rules: Rules = RULES,
    stress: Stress = CALM,
    **settings: object,
) -> Plan:
    """Trades a second apart on consecutive days; `mae`: of each trade of a day, on every day."""
    trades = [
        Trade(
            closed_at=MORNING + timedelta(days=day, seconds=place),
            pnl_minor=pnl,
            mae_minor=mae[place] if mae else None,
            mfe_minor=max(pnl, 0) if mae else None,
        )
        for day, pnls in enumerate(days)
        for place, pnl in enumerate(pnls)
    ]
    chosen = Settings(
        **({"paths": 1_024, "horizon_days": 20, "model": Model.IID, "seed": 5, "stress": stress} | settings)  # type: ignore[arg-type]  # by name
    )
    account = Account(balance_minor=rules.starting_balance_minor, high_water_mark_minor=rules.starting_balance_minor)
    return engine.plan(Spec(trades=Trades.of(trades), rules=rules, account=account, settings=chosen), "ab" * 32)


def told(plan: Plan) -> dict[str, str]:
    """The messages by their codes."""
    return {each.code: each.message for each in caveats(plan, crew.simulate(plan).tally, diagnose(plan))}


def breached(plan: Plan) -> float:
    return result.build(plan, crew.simulate(plan), 0).outcomes.breached_max_drawdown.value


@pytest.mark.parametrize(
    "plan",
    [
        plan_of(stress=Stress(cost_minor=2_500)),
        plan_of(stress=Stress(volatility_factor=10)),
        plan_of(model=Model.NORMAL),
        plan_of([*WINNERS, (-1, 5)], excursions=False),
    ],
    ids=["cost", "volatility", "normal", "one loser"],
)
def test_trades_that_lose_as_they_are_drawn_are_not_said_to_win(plan: Plan) -> None:
    assert Code.NO_LOSING_TRADE not in told(plan)


@pytest.mark.parametrize("model", [Model.IID, Model.DAY, Model.STATIONARY, Model.CIRCULAR])
def test_losses_that_stress_takes_away_are_said_to_be_unseen(model: Model) -> None:
    plan = plan_of([*WINNERS, (9_000, -100)], stress=Stress(volatility_factor=0.1), model=model)
    assert breached(plan) == 0
    assert "under this stress loses money" in told(plan)[Code.NO_LOSING_TRADE]
    assert "loses money" in told(plan_of(model=model))[Code.NO_LOSING_TRADE]


def test_winners_that_fall_on_their_way_are_said_to_fall_within_trades_alone() -> None:
    deep, shallow = plan_of(mae=(-12_000, -500)), plan_of(mae=(0, 0))
    assert breached(deep) > 0.5
    assert "fall within trades alone" in told(deep)[Code.NO_LOSING_TRADE]
    assert "loses money" in told(shallow)[Code.NO_LOSING_TRADE]
    assert "loses money" in told(plan_of(mae=(-12_000, -500), excursions=False))[Code.NO_LOSING_TRADE]


def test_few_breaches_are_told_of_wherever_a_trade_that_is_drawn_falls() -> None:
    """Under a day's last trade a floor may trail that the day as a whole does not fall below."""
    days = [(2_000, -100)] * 30
    assert {Code.FEW_BREACHES, Code.NO_LOSING_TRADE} & set(told(plan_of(days, model=Model.DAY))) == {Code.FEW_BREACHES}
    assert Code.FEW_BREACHES not in told(plan_of())


def test_trades_of_one_amount_still_make_paths_of_unlike_length() -> None:
    plan = plan_of([(-1_000, -1_000), (-1_000,)] * 15, rules=Rules(starting_balance_minor=START), model=Model.DAY)
    figures = result.build(plan, crew.simulate(plan), 0).final_pnl.quantiles
    assert figures[0].estimate.value < figures[-1].estimate.value
    message = told(plan)[Code.NO_VARIATION]
    assert "alike" not in message
    assert "by how many trades they take" in message


def test_amounts_are_of_one_size_by_what_is_drawn_of_them() -> None:
    nearly = [(1_000, 1_002)] * 15
    assert Code.NO_VARIATION in told(plan_of(nearly, stress=Stress(volatility_factor=0.1)))
    assert Code.NO_VARIATION not in told(plan_of(nearly))


@pytest.mark.parametrize(
    ("days", "asked", "advice"),
    [
        (15, None, "guide, ask for estimation risk, and simulate"),
        (
            15,
            EstimationRisk(histories=200, paths=256),
            "guide, quote the intervals of the estimation risk, and simulate",
        ),
        (4, None, "guide, ask for estimation risk once there are 5 trading days, and simulate"),
    ],
)
def test_estimation_risk_is_advised_where_it_can_be_and_was_not_asked_for(
    days: int, asked: EstimationRisk | None, advice: str
) -> None:
    plan = plan_of([*WINNERS, (-500,)][-days:], estimation_risk=asked)
    assert advice in told(plan)[Code.SHORT_HISTORY]


@pytest.mark.parametrize("asked", [None, EstimationRisk(histories=200, paths=256)])
def test_dependent_trades_are_read_by_the_estimation_risk_if_there_is_one(asked: EstimationRisk | None) -> None:
    days = [(sign * (100 + day),) for sign in (1, -1) * 3 for day in range(40)]
    message = told(plan_of(days, estimation_risk=asked))[Code.LOW_EFFECTIVE_SAMPLE_SIZE]
    assert message.endswith("ask for estimation risk." if asked is None else "intervals of the estimation risk.")


@pytest.mark.parametrize(
    ("half_width", "needed"), [(0.001, "720,000"), (0.0105, "6,600"), (1e-7, "72,000,000,000,000")]
)
def test_paths_that_a_precision_takes_are_rounded_up_to_two_digits(half_width: float, needed: str) -> None:
    """Three in four of 4,000 paths are known to 0.0134147, Wilson's half-width: it takes 4,000 (0.0134147/w)²."""
    plan = plan_of([(100,), (-100,)] * 40, precision=(PrecisionTarget(outcome="expired", half_width=half_width),))
    tally = replace(Tally.empty(), paths=4_000, outcomes=(0, 1_000, 0, 3_000))
    [message] = [each.message for each in caveats(plan, tally, diagnose(plan)) if each.code == "PRECISION_NOT_REACHED"]
    assert message.endswith(f"it takes about {needed} paths.")
