"""What a result says beyond its paths: scenarios, estimation risk, phases, payouts, diagnostics and its warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from simulator import engine, result
from simulator.engine import Plan
from simulator.estimation_risk import LEFT_OUT, Histories
from simulator.found import Found
from simulator.histogram import Histogram
from simulator.scenarios import Paired
from simulator.spec import (
    Account,
    DailyAction,
    DailyLoss,
    DrawdownKind,
    EstimationRisk,
    MaxDrawdown,
    MinimumDays,
    Model,
    Payout,
    Phase,
    PrecisionTarget,
    Rules,
    Scenario,
    Settings,
    Spec,
)
from simulator.tally import Phase as PhaseCounts
from simulator.tally import Tally
from simulator.trades import Trade, Trades

START = 5_000_000
PATHS = 4_000
FIRST = datetime(2024, 1, 1, 12, tzinfo=UTC)
LONG = [12_000, -10_000, 8_000, -7_000] * 30
RULES = Rules(
    starting_balance_minor=START,
    max_drawdown=MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=200_000),
    daily_loss=DailyLoss(limit_minor=100_000),
    target_minor=5_300_000,
)
FUNDED = replace(RULES, target_minor=None)


def plan_of(
    pnls: Sequence[int] = LONG,
    *,
    rules: Rules = RULES,
    phase: int = 1,
    mae: Sequence[int | None] | None = None,
    **settings: object,
) -> Plan:
    """A plan over a history of one trade a day."""
    maes = mae or [None] * len(pnls)
    trades = Trades.of(
        Trade(closed_at=FIRST + timedelta(days=day), pnl_minor=pnl, mae_minor=worst)
        for day, (pnl, worst) in enumerate(zip(pnls, maes, strict=True))
    )
    chosen = Settings(**({"paths": PATHS, "horizon_days": 40, "model": Model.IID, "seed": 7} | settings))  # type: ignore[arg-type]  # by name
    account = Account(balance_minor=START, high_water_mark_minor=START, phase=phase)
    return engine.plan(Spec(trades=trades, rules=rules, account=account, settings=chosen), "ab" * 32)


def tally_of(outcomes: tuple[int, int, int, int] = (1_600, 1_200, 800, 400), **more: object) -> Tally:
    """Made-up paths that end so; their profits and losses are all the same."""
    paths = sum(outcomes)
    same = Histogram.of(np.full(paths, 100, np.int32))
    bare = replace(Tally.empty(), paths=paths, steps=paths, outcomes=outcomes, final_pnl=same, max_drawdown=same)
    return replace(bare, trades_to_end=same, **more)  # type: ignore[arg-type]  # by name


def codes(plan: Plan, tally: Tally | None = None) -> set[str]:
    return {each.code for each in result.build(plan, tally or tally_of((3_200, 2_400, 1_600, 800)), 0).warnings}


def test_an_outcome_that_no_rule_leads_to_is_left_out_everywhere() -> None:
    plan = plan_of(
        rules=FUNDED,
        scenarios=(Scenario(name="tight", limits_factor=0.9),),
        estimation_risk=EstimationRisk(histories=200, paths=256),
    )
    histories = Histories(ends=dict.fromkeys(range(200), (0, 56, 100, 100)))
    found = Found(tally=tally_of((0, 1, 2, 3_997)), pairs=(Paired(joint=(*(0,) * 15, PATHS)),), histories=histories)

    built = result.build(plan, found, 0)

    for part in (built.outcomes, built.scenarios[0].outcomes, built.scenarios[0].differences, built.estimation_risk):
        assert not part.HasField("passed")
        assert part.HasField("expired")
    assert "FEW_PASSES" not in {each.code for each in built.warnings}


@pytest.mark.parametrize(
    ("rules", "fields"),
    [
        (RULES, ["passed", "breached_max_drawdown", "breached_daily_loss", "expired"]),
        (replace(RULES, daily_loss=None), ["passed", "breached_max_drawdown", "expired"]),
        (
            replace(RULES, daily_loss=DailyLoss(limit_minor=100_000, action=DailyAction.PAUSE)),
            ["passed", "breached_max_drawdown", "expired"],
        ),
        (replace(FUNDED, max_drawdown=None), ["breached_daily_loss", "expired"]),
        (Rules(starting_balance_minor=START), ["expired"]),
    ],
)
def test_only_outcomes_that_a_rule_leads_to_are_told(rules: Rules, fields: list[str]) -> None:
    found = result.build(plan_of(rules=rules), tally_of((0, 0, 0, PATHS)), 0).outcomes
    assert [each.name for each, _ in found.ListFields()] == fields


def test_a_scenario_tells_its_figures_and_what_they_differ_by() -> None:
    """100 paths: 40 pass in both cases, 20 only in the simulation proper, 5 only in the scenario."""
    joint = [0] * 16
    joint[0 * 4 + 0], joint[0 * 4 + 3], joint[3 * 4 + 0], joint[3 * 4 + 3] = 40, 20, 5, 35
    pair = Paired(joint=tuple(joint), total=50_000, squares=10**9, difference_total=-20_000, difference_squares=10**8)
    plan = plan_of(scenarios=(Scenario(name="worse", limits_factor=0.9),))

    [found] = result.build(plan, Found(tally=tally_of(), pairs=(pair,)), 0).scenarios

    assert found.name == "worse"
    assert (found.outcomes.passed.value, found.outcomes.expired.value) == (0.45, 0.55)
    moved = found.differences.passed
    assert moved.value == -0.15
    assert moved.std_error == pytest.approx(np.sqrt(25 - 15**2 / 100) / 100)
    assert -0.25 < moved.ci_low < -0.15 < moved.ci_high < -0.05
    assert found.differences.expired.value == 0.15
    assert found.differences.breached_daily_loss.value == 0
    assert found.differences.breached_daily_loss.ci_high > 0
    assert (found.mean_final_pnl.value, found.mean_final_pnl_difference.value) == (5.0, -2.0)
    spread = np.sqrt((10**8 - 20_000**2 / 100) / 99 / 100) / 100
    assert found.mean_final_pnl_difference.std_error == pytest.approx(spread)


def test_estimation_risk_is_told_for_every_outcome_that_is_possible() -> None:
    plan = plan_of(estimation_risk=EstimationRisk(histories=200, paths=256))
    histories = Histories(ends={number: (number, 56, 0, 200 - number) for number in range(200)})

    found = result.build(plan, Found(tally=tally_of(), histories=histories), 0).estimation_risk

    assert (found.histories, found.paths_per_history) == (200, 256)
    assert found.passed.mean == pytest.approx(99.5 / 256)
    assert 0 < found.passed.low < found.passed.mean < found.passed.high < 200 / 256
    assert 0 < found.passed.low_std_error < found.passed.high_std_error * 5 < 1
    assert np.isinf(found.breached_daily_loss.high_std_error)
    assert (found.breached_daily_loss.mean, found.breached_daily_loss.low) == (0, 0)
    assert found.breached_daily_loss.high > 0


@pytest.mark.parametrize(("left", "shown"), [(20, True), (19, False)])
def test_histories_that_are_left_out_are_counted_and_warned_of(left: int, shown: bool) -> None:
    plan = plan_of(estimation_risk=EstimationRisk(histories=200, paths=256))
    ends = {number: (number, 56, 100, 100 - number) if number < left else LEFT_OUT for number in range(200)}

    built = result.build(plan, Found(tally=tally_of(), histories=Histories(ends=ends)), 0)

    found, [warning] = built.estimation_risk, [each for each in built.warnings if each.code == "HISTORIES_LEFT_OUT"]
    assert (found.histories, found.left_out) == (200, 200 - left)
    assert found.HasField("passed") == found.HasField("expired") == shown
    assert warning.message.startswith(f"Of 200 resampled histories {200 - left} were left out of")
    assert ("too few for an interval" in warning.message) != shown


def test_with_no_history_left_out_nothing_is_said_of_it() -> None:
    plan = plan_of(estimation_risk=EstimationRisk(histories=200, paths=256))
    histories = Histories(ends=dict.fromkeys(range(200), (56, 100, 100, 0)))
    built = result.build(plan, Found(tally=tally_of(), histories=histories), 0)
    assert "HISTORIES_LEFT_OUT" not in {each.code for each in built.warnings}
    assert built.estimation_risk.left_out == 0


def test_estimation_risk_not_asked_for_is_not_there() -> None:
    assert not result.build(plan_of(), tally_of(), 0).HasField("estimation_risk")


def test_payouts_and_paused_days_are_told_where_a_rule_makes_them() -> None:
    paying = replace(
        FUNDED,
        payout=Payout(floor_minor=START),
        daily_loss=DailyLoss(limit_minor=100_000, action=DailyAction.PAUSE),
    )
    counted = Histogram.of(np.arange(PATHS, dtype=np.int32) % 5)
    tally = tally_of((0, 1_000, 0, 3_000), payout=counted, payouts=counted, paused_days=counted)

    found = result.build(plan_of(rules=paying), tally, 0)

    assert (found.payout.mean.value, found.payouts.mean.value, found.paused_days.mean.value) == (0.02, 2, 2)
    plain = result.build(plan_of(), tally_of(), 0)
    assert not any(plain.HasField(name) for name in ("payout", "payouts", "paused_days"))


def test_phases_are_told_from_the_one_under_way() -> None:
    steps = (Phase(target_minor=START + 1), Phase(target_minor=START + 2), Phase(target_minor=START + 3))
    counts = ((PATHS, PATHS), (PATHS, 3_000), (3_000, 1_600))
    tally = tally_of(phases=tuple(PhaseCounts(reached=reached, passed=passed) for reached, passed in counts))

    found = result.build(plan_of(rules=replace(RULES, target_minor=None, phases=steps), phase=2), tally, 0)

    assert [(each.phase, each.reached.value, each.passed.value) for each in found.phases] == [
        (2, 1.0, 0.75), (3, 0.75, 0.4)
    ]  # fmt: skip
    assert found.outcomes.HasField("passed")
    assert not result.build(plan_of(), tally_of(), 0).phases


def test_diagnostics_are_those_of_the_history() -> None:
    found = result.build(plan_of(), tally_of(), 0).diagnostics
    assert found.effective_sample_size == len(LONG)
    assert found.lag_one_autocorrelation < -0.9
    assert "one by one" in found.block_length_reason
    assert not found.intra_trade
    assert not found.HasField("age_days")
    dated = plan_of(as_of=FIRST + timedelta(days=len(LONG) + 11, hours=5))
    assert result.build(dated, tally_of(), 0).diagnostics.age_days == 12


def test_a_sound_history_is_not_warned_of() -> None:
    assert codes(plan_of(mae=[-20_000] * len(LONG), as_of=FIRST + timedelta(days=len(LONG)))) == set()
    assert codes(plan_of(excursions=False)) == set()


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        (plan_of([*([9_000, -8_000] * 60), *([-9_000, 8_000, -8_500] * 40)]), "DRIFT"),
        (plan_of(as_of=FIRST + timedelta(days=len(LONG) + 30)), "STALE_HISTORY"),
        (plan_of(LONG[:59]), "SHORT_HISTORY"),
        (plan_of([sign * (100 + day) for sign in (1, -1) * 3 for day in range(40)]), "LOW_EFFECTIVE_SAMPLE_SIZE"),
        (plan_of([*LONG, 900_000]), "ONE_TRADE_DOMINATES"),
        (plan_of([5, 6] * 40), "NO_LOSING_TRADE"),
        (plan_of(mae=[-20_000] * 119 + [None]), "EXCURSIONS_MISSING"),
        (plan_of(), "EXCURSIONS_MISSING"),
        (plan_of(rules=replace(FUNDED, max_drawdown=None)), "EXCURSIONS_MISSING"),
        (plan_of(mae=[-20_000] * 120, model=Model.NORMAL), "EXCURSIONS_MISSING"),
        (plan_of(rules=replace(RULES, minimum_days=MinimumDays(days=41))), "PASS_IMPOSSIBLE"),
        (
            plan_of(rules=replace(RULES, max_drawdown=MaxDrawdown(
                kind=DrawdownKind.TRAILING_INTRADAY, allowance_minor=200_000))), "EXCURSIONS_MISSING",
        ),
        (plan_of(estimation_risk=EstimationRisk(histories=199, paths=256)), "FEW_HISTORIES"),
        (plan_of(precision=(PrecisionTarget(outcome="passed", half_width=0.001),)), "PRECISION_NOT_REACHED"),
    ],
)  # fmt: skip
def test_warnings_name_what_the_reader_must_know(plan: Plan, code: str) -> None:
    found = result.build(plan, tally_of(), 0).warnings
    assert code in {each.code for each in found}
    assert all(len(each.message) > 60 for each in found)


def test_excursions_that_were_declined_or_used_are_not_missing() -> None:
    partly = [-20_000] * 119 + [None]
    assert "EXCURSIONS_MISSING" not in codes(plan_of(mae=partly, excursions=False))
    assert "EXCURSIONS_MISSING" not in codes(plan_of(mae=[-20_000] * 120))
    assert "EXCURSIONS_MISSING" not in codes(plan_of(rules=replace(FUNDED, max_drawdown=None, daily_loss=None)))
    assert result.build(plan_of(mae=[-20_000] * 120), tally_of(), 0).diagnostics.intra_trade


def test_a_precision_that_was_reached_is_not_warned_of() -> None:
    plan = plan_of(precision=(PrecisionTarget(outcome="passed", half_width=0.02),))
    assert "PRECISION_NOT_REACHED" not in codes(plan)


def test_a_pass_that_is_impossible_is_not_called_rare() -> None:
    plan = plan_of(rules=replace(RULES, minimum_days=MinimumDays(days=41)))
    found = {each.code: each.message for each in result.build(plan, tally_of((0, 1_600, 1_200, 1_200)), 0).warnings}
    assert "a pass takes 41 more trading days at least, and 40 are simulated" in found["PASS_IMPOSSIBLE"]
    assert "FEW_PASSES" not in found
    rare = codes(plan_of(rules=replace(RULES, minimum_days=MinimumDays(days=40))), tally_of((0, 1_600, 1_200, 1_200)))
    assert "FEW_PASSES" in rare
    assert "PASS_IMPOSSIBLE" not in rare


def test_few_passes_of_the_last_phase_are_warned_of() -> None:
    steps = (Phase(target_minor=START + 1), Phase(target_minor=START + 2))
    plan = plan_of(rules=replace(RULES, target_minor=None, phases=steps))
    assert "FEW_PASSES" in codes(plan, tally_of((99, 2_000, 1_500, 401)))
    assert "FEW_PASSES" not in codes(plan, tally_of((100, 2_000, 1_500, 400)))
