"""Scenarios: matched pairs of the same futures, counted and summed exactly, under conditions that are what they say."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import scenarios
from simulator.conditions import spec_of, with_limits
from simulator.scenarios import Paired
from simulator.spec import (
    BreachOperator,
    DailyLoss,
    DrawdownKind,
    MaxDrawdown,
    Phase,
    Rules,
    Scenario,
    Settings,
    Stress,
)
from simulator.tally import Finished, Outcome
from tests.unit.simulator.samples import START, plan_of

REACH = 2**30
Path = tuple[int, int, int, int]
paths = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(-REACH, REACH), st.integers(-REACH, REACH)),
    min_size=1, max_size=30,
)  # fmt: skip


def finished(outcomes: list[int], pnl: list[int]) -> Finished:
    """Paths with these ends; the rest of them is of no use here."""
    rest = np.zeros(len(pnl), np.int32)
    return Finished(
        outcome=np.array(outcomes, np.uint8), final_pnl=np.array(pnl, np.int32),
        max_drawdown=rest, days=rest, trades=rest, fan=np.zeros((0, 0), np.int32),
    )  # fmt: skip


def paired(of: list[Path]) -> Paired:
    base, other, pnl, changed = (list(column) for column in zip(*of, strict=True))
    return Paired.of(finished(base, pnl), finished(other, changed))


@given(of=paths)
def test_sums_and_counts_are_exact_and_of_the_same_paths(of: list[Path]) -> None:
    pair = paired(of)

    assert pair.paths == len(of)
    assert pair.total == sum(changed for *_, changed in of)
    assert pair.squares == sum(changed**2 for *_, changed in of)
    assert pair.difference_total == sum(changed - pnl for _, _, pnl, changed in of)
    assert pair.difference_squares == sum((changed - pnl) ** 2 for _, _, pnl, changed in of)
    for end in Outcome:
        assert pair.outcomes[end] == sum(other == end for _, other, _, _ in of)
        alone = sum(other == end != base for base, other, _, _ in of)
        lost = sum(base == end != other for base, other, _, _ in of)
        assert pair.moved(end) == (alone, lost)


@given(of=paths, cut=st.integers(0, 30))
def test_merging_and_serialising_change_nothing(of: list[Path], cut: int) -> None:
    first, second = of[:cut], of[cut:]
    parts = [paired(part) for part in (first, second) if part]
    merged = scenarios.merge(parts[:1], parts[1:])

    assert merged == (paired(of),)
    assert Paired.from_bytes(merged[0].to_bytes()) == merged[0]
    assert len(merged[0].to_bytes()) == scenarios.SIZE


@pytest.mark.parametrize("data", [b"", b"\0" * (scenarios.SIZE - 1)])
def test_bytes_of_another_length_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="start again"):
        Paired.from_bytes(data)


RULES = Rules(
    starting_balance_minor=START,
    max_drawdown=MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=333, lock_minor=START + 7),
    daily_loss=DailyLoss(limit_minor=101),
    target_minor=START + 505,
)


@pytest.mark.parametrize(
    ("breach", "allowance", "limit"), [(BreachOperator.AT_OR_BELOW, 300, 91), (BreachOperator.BELOW, 299, 90)]
)
def test_limits_are_multiplied_and_rounded_to_the_side_that_changes_no_test(
    breach: BreachOperator, allowance: int, limit: int
) -> None:
    found = with_limits(replace(RULES, breach=breach), 0.9)

    assert found.max_drawdown == replace(RULES.max_drawdown, allowance_minor=allowance)  # type: ignore[type-var]
    assert found.daily_loss == DailyLoss(limit_minor=limit)
    assert found.target_minor == START + 455


@given(allowance=st.integers(1, 10**9), factor=st.floats(0.1, 10), balance=st.integers(-(10**10), 10**10))
def test_a_rounded_floor_decides_every_balance_as_the_unrounded_one_does(
    allowance: int, factor: float, balance: int
) -> None:
    exact = START - allowance * Fraction(repr(factor))
    for breach in BreachOperator:
        rules = replace(
            RULES, breach=breach, max_drawdown=MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=allowance)
        )
        rule = with_limits(rules, factor).max_drawdown
        assert rule is not None
        floor = START - rule.allowance_minor
        if breach is BreachOperator.BELOW:
            assert (balance < floor) == (balance < exact)
        else:
            assert (balance <= floor) == (balance <= exact)


def test_phases_and_shares_are_multiplied_too() -> None:
    rules = replace(
        RULES,
        max_drawdown=MaxDrawdown(kind=DrawdownKind.TRAILING_INTRADAY, allowance_minor=0, peak_share_ppm=40_000),
        daily_loss=DailyLoss(limit_minor=0, anchor_share_ppm=600_000),
        phases=(Phase(target_minor=START + 800), Phase(target_minor=None)),
    )

    found = with_limits(rules, 2.0)

    assert found.max_drawdown is not None
    assert found.daily_loss is not None
    assert (found.max_drawdown.peak_share_ppm, found.daily_loss.anchor_share_ppm) == (80_000, 1_200_000)
    assert [phase.target_minor for phase in found.phases] == [START + 1_600, None]


def test_a_factor_of_one_changes_nothing() -> None:
    assert with_limits(RULES, 1.0) is RULES


def test_a_scenario_replaces_the_stress_and_keeps_paths_seed_and_blocks() -> None:
    base, worse = Stress(loss_factor=1.1), Stress(loss_factor=2.0)
    settings = Settings(
        paths=100, seed=5, stress=base,
        scenarios=(Scenario(name="worse", stress=worse), Scenario(name="tight", limits_factor=0.5)),
    )  # fmt: skip
    plan = plan_of(settings)

    first, second = scenarios.plans(plan)

    assert (first.spec.settings.stress, second.spec.settings.stress) == (worse, base)
    assert first.spec.rules == plan.spec.rules
    assert second.spec.rules.target_minor == START + 250
    for each in (first, second):
        assert (each.seed, each.paths, each.blocks, each.block_length) == (5, 100, plan.blocks, plan.block_length)
        assert each.spec.settings.scenarios == ()
    assert first.source.history.pnl_minor.min() == 2 * plan.history.pnl_minor.min()


def test_a_scenario_of_a_scenario_is_none() -> None:
    plan = plan_of(Settings(scenarios=(Scenario(name="tight", limits_factor=0.5),)))
    assert spec_of(plan.spec, plan.spec.settings.scenarios[0]).settings.scenarios == ()
