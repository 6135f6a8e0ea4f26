"""The result message: every field filled, in the currency's units, from nothing but the plan and its tally."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from montecarlo.v1 import result_pb2, settings_pb2
from simulator import bands, engine, result
from simulator.engine import Plan
from simulator.spec import Account, DailyLoss, DrawdownKind, MaxDrawdown, Model, Rules, Settings, Spec
from simulator.tally import Finished, Tally
from simulator.trades import Trade, Trades

START = 5_000_000
PATHS = 8_000
RULES = Rules(
    starting_balance_minor=START,
    max_drawdown=MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=200_000),
    daily_loss=DailyLoss(limit_minor=100_000),
    target_minor=5_300_000,
)


def plan_of(
    pnls: Sequence[int],
    *,
    rules: Rules = RULES,
    model: Model = Model.IID,
    balance: int = START,
    excursions: bool = True,
) -> Plan:
    """A plan over a history of one trade a day."""
    first = datetime(2024, 1, 1, 12, tzinfo=UTC)
    spec = Spec(
        trades=Trades.of(Trade(closed_at=first + timedelta(days=day), pnl_minor=pnl) for day, pnl in enumerate(pnls)),
        rules=rules,
        account=Account(balance_minor=balance, high_water_mark_minor=max(balance, START)),
        settings=Settings(paths=PATHS, horizon_days=40, model=model, seed=7, excursions=excursions),
    )
    return engine.plan(spec, "ab" * 32)


def tally_of(plan: Plan, *, outcomes: Sequence[float] = (0.4, 0.3, 0.2, 0.1), paths: int = PATHS) -> Tally:
    """Made-up paths."""
    rng = np.random.default_rng(5)
    fan = np.cumsum(rng.normal(0, 9_000, (plan.fan_days, paths)), axis=0).astype(np.int32)
    fan[0] = 0
    finished = Finished(
        outcome=rng.choice(4, paths, p=outcomes).astype(np.uint8),
        final_pnl=rng.normal(0, 100_000, paths).astype(np.int32),
        max_drawdown=rng.integers(0, 200_000, paths).astype(np.int32),
        days=rng.integers(1, 41, paths).astype(np.int32),
        trades=rng.integers(1, 200, paths).astype(np.int32),
        fan=fan,
    )
    return Tally.of(finished)


LONG = [12_000, -10_000, 8_000, -7_000] * 30


ONLY_WHERE_ASKED_FOR = [
    "payout", "payouts", "phases", "paused_days", "scenarios", "estimation_risk", "rare_events"
]  # fmt: skip


def test_every_field_is_filled() -> None:
    plan = plan_of(LONG[:50])
    found = result.build(plan, tally_of(plan), 1.5)
    empty = [
        field.name
        for field in found.DESCRIPTOR.fields
        if field.name not in {each.name for each, _ in found.ListFields()}
    ]
    assert empty == ONLY_WHERE_ASKED_FOR
    assert (found.paths, found.seed, found.horizon_days, found.currency) == (PATHS, 7, 40, "USD")
    assert (found.model, found.block_length) == (settings_pb2.RESAMPLING_MODEL_IID, 1)
    assert (found.input_digest, found.elapsed_s) == ("ab" * 32, 1.5)
    assert found.path_steps == round(found.trades_to_end.mean.value * PATHS)


def test_probabilities_sum_to_one_and_count_their_paths() -> None:
    plan = plan_of(LONG)
    tally = tally_of(plan)
    ends = result.build(plan, tally, 0).outcomes
    values = [ends.passed.value, ends.breached_max_drawdown.value, ends.breached_daily_loss.value, ends.expired.value]
    assert sum(values) == pytest.approx(1)
    assert [round(value * PATHS) for value in values] == list(tally.outcomes)


@pytest.mark.parametrize(("digits", "unit"), [(0, 1), (2, 100), (3, 1_000)])
def test_money_is_in_units_of_the_currency(digits: int, unit: int) -> None:
    plan = plan_of(LONG, rules=replace(RULES, minor_digits=digits))
    tally = tally_of(plan)
    found = result.build(plan, tally, 0)
    assert found.final_pnl.mean.value == pytest.approx(tally.final_pnl.total / PATHS / unit)
    assert found.max_drawdown.mean.value == pytest.approx(tally.max_drawdown.total / PATHS / unit)
    assert found.days_to_pass.mean.value == pytest.approx(tally.days_to_pass.total / tally.days_to_pass.count)
    assert found.history.mean_pnl == pytest.approx(sum(LONG) / len(LONG) / unit)
    assert found.equity_fan.days[0].quantiles[0].estimate.value == START / unit


def test_levels_are_the_documented_ones_and_quantiles_ascend() -> None:
    plan = plan_of(LONG)
    found = result.build(plan, tally_of(plan), 0)
    for figure in (found.final_pnl, found.max_drawdown, found.days_to_pass, found.days_to_breach, found.trades_to_end):
        assert [each.probability for each in figure.quantiles] == list(result.LEVELS)
        values = [each.estimate.value for each in figure.quantiles]
        assert values == sorted(values)
    assert [tail.confidence for tail in found.final_pnl.tails] == [0.95, 0.99]
    assert not found.max_drawdown.tails


def test_tails_are_losses_and_the_shortfall_exceeds_the_value_at_risk() -> None:
    plan = plan_of(LONG)
    for tail in result.build(plan, tally_of(plan), 0).final_pnl.tails:
        assert 0 < tail.value_at_risk.value < tail.expected_shortfall.value
        assert tail.value_at_risk.std_error > 0
        assert tail.expected_shortfall.std_error > 0


def test_the_fan_starts_at_the_present_balance_without_an_error() -> None:
    plan = plan_of(LONG, balance=4_950_000)
    fan = result.build(plan, tally_of(plan), 0).equity_fan
    assert fan.paths == PATHS
    assert [day.day for day in fan.days] == plan.shown_days.tolist()
    certain = result_pb2.Estimate(value=49_500, std_error=0, ci_low=49_500, ci_high=49_500)
    assert [each.estimate for each in fan.days[0].quantiles] == [certain] * 5
    for day in fan.days[1:]:
        assert [each.probability for each in day.quantiles] == list(bands.LEVELS)
        assert all(each.estimate.std_error > 0 for each in day.quantiles)


def test_a_figure_no_path_has_is_empty() -> None:
    plan = plan_of(LONG)
    found = result.build(plan, tally_of(plan, outcomes=(0, 0.5, 0, 0.5)), 0)
    assert found.days_to_pass == result_pb2.Distribution(count=0)
    assert found.outcomes.passed.ci_high > 0


def test_intervals_of_days_stay_between_the_first_day_and_the_horizon() -> None:
    plan = plan_of(LONG)
    found = result.build(plan, tally_of(plan, paths=2), 0)
    for figure in (found.days_to_pass, found.days_to_breach):
        for each in figure.quantiles:
            assert 1 <= each.estimate.ci_low <= each.estimate.ci_high <= 40


def test_equal_runs_give_equal_bytes_but_for_the_elapsed_time() -> None:
    plan = plan_of(LONG)
    whole = tally_of(plan)
    again = Tally.from_bytes(whole.to_bytes())
    a, b = result.build(plan, whole, 1), result.build(plan, again, 2)
    assert a != b
    a.elapsed_s = b.elapsed_s
    assert a.SerializeToString(deterministic=True) == b.SerializeToString(deterministic=True)


def test_the_history_is_summed_up() -> None:
    plan = plan_of([100, -50, 0, 250])
    history = result.build(plan, tally_of(plan), 0).history
    assert (history.trades, history.days, history.mean_pnl, history.win_rate) == (4, 4, 0.75, 0.5)
    assert (history.first_day, history.last_day) == ("2024-01-01", "2024-01-04")


@pytest.mark.parametrize(
    ("pnls", "outcomes", "paths", "codes"),
    [
        (LONG, (0.4, 0.3, 0.2, 0.1), PATHS, set()),
        (LONG[:59], (0.4, 0.3, 0.2, 0.1), PATHS, {"SHORT_HISTORY"}),
        ([*LONG, 900_000], (0.4, 0.3, 0.2, 0.1), PATHS, {"ONE_TRADE_DOMINATES"}),
        ([5, 6] * 40, (0.4, 0.3, 0.2, 0.1), PATHS, {"NO_LOSING_TRADE", "PASS_IMPOSSIBLE"}),
        (LONG, (0.4, 0.3, 0.2, 0.1), 900, {"FEW_PATHS"}),
        (LONG, (1, 0, 0, 0), PATHS, {"FEW_BREACHES"}),
        ([5, 6] * 40, (0, 0, 0, 1), PATHS, {"NO_LOSING_TRADE", "PASS_IMPOSSIBLE"}),
        (LONG, (0, 1, 0, 0), PATHS, {"FEW_PASSES"}),
    ],
)
def test_warnings_name_what_the_reader_must_know(
    pnls: list[int], outcomes: tuple[float, ...], paths: int, codes: set[str]
) -> None:
    plan = plan_of(pnls, excursions=False)
    found = result.build(plan, tally_of(plan, outcomes=outcomes, paths=paths), 0).warnings
    assert {warning.code for warning in found} == codes
    assert all(len(warning.message) > 40 for warning in found)


def test_an_account_without_rules_is_not_warned_of_breaches_or_passes() -> None:
    plan = plan_of(LONG, rules=Rules(starting_balance_minor=START))
    assert not result.build(plan, tally_of(plan, outcomes=(0, 0, 0, 1)), 0).warnings


@pytest.mark.parametrize(
    ("model", "message", "block_length"),
    [
        (Model.IID, settings_pb2.RESAMPLING_MODEL_IID, 1),
        (Model.DAY, settings_pb2.RESAMPLING_MODEL_DAY, 0),
        (Model.STATIONARY, settings_pb2.RESAMPLING_MODEL_STATIONARY, None),
    ],
)
def test_the_model_is_told(model: Model, message: int, block_length: float | None) -> None:
    plan = plan_of(LONG, model=model)
    found = result.build(plan, tally_of(plan), 0)
    assert found.model == message
    assert found.block_length == (plan.block_length if block_length is None else block_length)
