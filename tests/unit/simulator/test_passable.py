"""A pass is called impossible only where no path passes, and with one more day, or a better trade, some path does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings

from simulator import engine
from simulator.passable import why_no_pass
from simulator.planning import Plan
from simulator.spec import Account, MinimumDays, Model, Phase, Rules, Settings, Spec, Stress
from simulator.tally import Outcome
from tests.unit.simulator.random_specs import specs
from tests.unit.simulator.rule_shapes import FITTED, shapes
from tests.unit.simulator.samples import FRESH, START, plan_of
from tests.unit.simulator.test_against_reference import EXAMPLES, Reference, can_be_fitted, one_block

DAYS = ((10, -5), (20,), (-15, 20), (5,))
"""The best trade makes 20, the longest day has two trades."""

TARGET = Rules(starting_balance_minor=START, target_minor=START + 40)
QUALIFYING = replace(TARGET, minimum_days=MinimumDays(days=5))
PROFITABLE = replace(TARGET, minimum_days=MinimumDays(days=2, min_profit_minor=40))
CONSISTENT = replace(TARGET, target_minor=START + 1, best_day_ppm=300_000)
PHASES = Rules(
    starting_balance_minor=START,
    phases=(
        Phase(target_minor=START + 10),
        Phase(target_minor=START + 10, minimum_days=MinimumDays(days=3)),
        Phase(target_minor=START + 90),
    ),
)


def planned(rules: Rules, horizon: int, *, account: Account = FRESH, days: Sequence[Sequence[int]] = DAYS,
            **more: object) -> Plan:  # fmt: skip
    chosen = {"model": Model.IID, "paths": 16_384, "seed": 5} | more
    found = plan_of(Settings(horizon_days=horizon, **chosen), rules=rules, account=account, days=days)  # type: ignore[arg-type]  # by name
    return replace(found, fan_paths=0)


def passes(plan: Plan) -> int:
    return int((engine.finished(plan, 0).outcome == Outcome.PASSED).sum())


@pytest.mark.parametrize(
    ("rules", "least", "more"),
    [
        (QUALIFYING, 5, {}),
        (QUALIFYING, 3, {"account": replace(FRESH, qualifying_days=2, days_traded=2)}),
        (PROFITABLE, 2, {}),
        (replace(TARGET, target_minor=START + 110), 3, {}),
        (replace(TARGET, target_minor=START + 110), 6, {"trades_per_day": 1}),
        (replace(TARGET, target_minor=START + 110), 3, {"model": Model.STATIONARY, "trades_per_day": 2}),
        (replace(TARGET, target_minor=START + 70), 4, {"model": Model.STATIONARY, "days": ((10,), (-5,), (20,), (5,))}),
        (replace(TARGET, target_minor=START + 70), 4, {"model": Model.CIRCULAR, "days": ((10,), (-5,), (20,), (5,))}),
        (replace(TARGET, target_minor=START + 110), 2, {"account": replace(
            FRESH, balance_minor=START + 30, high_water_mark_minor=START + 30)}),
        (replace(TARGET, target_minor=START + 44), 2, {"stress": Stress(volatility_factor=1.1)}),
        (CONSISTENT, 4, {}),
        (PHASES, 1 + 3 + 3, {}),
        (PHASES, 2 + 3, {"account": replace(FRESH, phase=2, qualifying_days=1)}),
    ],
)  # fmt: skip
def test_one_day_less_than_it_takes_is_impossible_and_as_many_are_not(
    rules: Rules, least: int, more: dict[str, object]
) -> None:
    enough, short = planned(rules, least, **more), planned(rules, least - 1, **more)  # type: ignore[arg-type]  # by name
    assert why_no_pass(enough) == ""
    assert passes(enough) > 0
    assert why_no_pass(short) == f"a pass takes {least} more trading days at least, and {least - 1} are simulated"
    assert passes(short) == 0


def test_a_time_limit_that_comes_too_soon_is_told_with_its_phase() -> None:
    late = planned(replace(QUALIFYING, time_limit_days=4), 30)
    assert why_no_pass(late) == "a pass takes 5 more trading days at least, and the time limit leaves 4"
    steps = (PHASES.phases[0], replace(PHASES.phases[1], time_limit_days=2), PHASES.phases[2])
    second = planned(replace(PHASES, phases=steps), 30)
    assert why_no_pass(second) == "phase 2 takes 3 more trading days at least, and the time limit leaves 2"
    assert passes(late) == passes(second) == 0


@pytest.mark.parametrize("model", [Model.IID, Model.DAY, Model.STATIONARY, Model.CIRCULAR])
def test_without_a_profit_no_target_is_reached(model: Model) -> None:
    plan = planned(TARGET, 60, days=((-10, 0), (-5,), (0, -20)), model=model)
    assert why_no_pass(plan) == "a pass takes profits that no day of these trades makes"
    assert passes(plan) == 0
    stressed = planned(TARGET, 60, model=model, stress=Stress(cost_minor=20))
    assert why_no_pass(stressed)
    assert not why_no_pass(planned(TARGET, 60, model=model, stress=Stress(cost_minor=19)))


def test_days_that_qualify_by_more_than_a_day_can_make_never_do() -> None:
    beyond = replace(TARGET, minimum_days=MinimumDays(days=1, min_profit_minor=41))
    assert why_no_pass(planned(beyond, 60)) == "a pass takes profits that no day of these trades makes"
    assert not why_no_pass(planned(beyond, 60, account=replace(FRESH, qualifying_days=1)))


@pytest.mark.parametrize("more", [{"model": Model.NORMAL}, {"model": Model.STATIONARY}])
def test_where_amounts_or_days_have_no_bound_only_days_count(more: dict[str, object]) -> None:
    assert not why_no_pass(planned(replace(TARGET, target_minor=START + 9_000), 1, **more))  # type: ignore[arg-type]  # by name
    assert why_no_pass(planned(QUALIFYING, 4, **more))  # type: ignore[arg-type]  # by name


def test_a_funded_account_has_nothing_to_pass() -> None:
    assert not why_no_pass(planned(replace(TARGET, target_minor=None), 5, days=((-1,), (-2,))))


def test_a_balance_at_the_target_takes_a_day_and_no_profit() -> None:
    there = Account(balance_minor=START + 40, high_water_mark_minor=START + 40)
    plan = planned(TARGET, 5, account=there, days=((-10,), (0,), (-5,)))
    assert why_no_pass(plan) == ""
    assert passes(plan) > 0


def test_what_is_called_impossible_happens_on_no_path_of_any_rules() -> None:
    """By the plain rule book, for every two rules together: 15 cases of each shape, 24 paths a case."""
    seen = {True: 0, False: 0}
    for shape in shapes(2):
        if shape.payout:
            continue

        @settings(EXAMPLES, max_examples=15)
        @given(specs(shape))
        def look(spec: Spec) -> None:
            if spec.settings.model in FITTED and not can_be_fitted(spec):
                return
            plan = one_block(spec)
            impossible = bool(why_no_pass(plan))
            seen[impossible] += 1
            if impossible:
                reference = Reference(plan)
                assert all(reference.ending(path).outcome != Outcome.PASSED for path in range(24))

        look()
    assert min(seen.values()) >= 30, seen
