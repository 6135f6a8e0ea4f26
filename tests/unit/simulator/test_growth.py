"""Scaling is counted exactly as far as it goes, and refused by its field beyond that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from simulator import engine
from simulator.errors import InvalidInput
from simulator.growth import BEYOND, MOST_DEPOSITS, most_of_a_trade
from simulator.spec import (
    REACH,
    Account,
    DailyLoss,
    DrawdownKind,
    MaxDrawdown,
    Model,
    Payout,
    Rules,
    Scaling,
    Scenario,
    Settings,
    Spec,
    Stress,
)
from tests.unit.simulator.random_specs import PATHS, Parts, trades_of
from tests.unit.simulator.test_against_reference import Reference, one_block, simulated

STEPS = "rules.scaling.max_steps"
WINNERS: tuple[Parts, ...] = ((300, None, None),) * 5
LOSER: Parts = (-15_000_000, None, None)
WHOLE = Scaling(every_days=1, min_profit_minor=1, step_ppm=1_000_000, max_steps=1)
GROWING = Rules(starting_balance_minor=150_000_000, scaling=replace(WHOLE, max_steps=9))


def spec_of(
    rules: Rules,
    trades: Sequence[Parts] = (*WINNERS, LOSER),
    *,
    scenarios: Sequence[Scenario] = (),
    horizon_days: int = 12,
    **settings: object,
) -> Spec:
    """A fresh account under these rules, one trade a day."""
    start = rules.starting_balance_minor
    found = Settings(
        paths=PATHS, horizon_days=horizon_days, model=Model.IID, seed=11, trades_per_day=1, scenarios=tuple(scenarios)
    )
    return Spec(
        trades=trades_of([trades]),
        rules=rules,
        account=Account(balance_minor=start, high_water_mark_minor=start),
        settings=replace(found, **settings),  # type: ignore[arg-type]
    )


def agrees(spec: Spec) -> set[int]:
    """Path by path with the reference; the outcomes that were met."""
    plan = one_block(spec)
    finished, reference = engine.finished(plan, 0), Reference(plan)
    ends = [reference.ending(path) for path in range(PATHS)]
    assert [simulated(plan, finished, path) for path in range(PATHS)] == ends
    return {end.outcome for end in ends}


def refusal(spec: Spec) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        one_block(spec)
    return {each.field: each.description for each in caught.value.violations}


def trailing(ppm: int) -> MaxDrawdown:
    return MaxDrawdown(kind=DrawdownKind.TRAILING_END_OF_DAY, allowance_minor=0, peak_share_ppm=ppm)


def static(allowance: int) -> MaxDrawdown:
    return MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=allowance)


@pytest.mark.parametrize(
    "limits",
    [
        {"max_drawdown": static(32_000_000)},
        {"max_drawdown": trailing(20_000)},
        {"daily_loss": DailyLoss(limit_minor=0, anchor_share_ppm=15_000)},
    ],
    ids=["static", "share of the peak", "share of the anchor"],
)
def test_deposits_are_exact_up_to_what_fits_beside_a_balance(limits: dict[str, MaxDrawdown]) -> None:
    rules = Rules(starting_balance_minor=MOST_DEPOSITS, scaling=WHOLE, **limits)  # type: ignore[arg-type]
    trades = ((30_000_000, None, None), (-25_000_000, None, None))

    assert len(agrees(spec_of(rules, trades, horizon_days=6))) == 2
    assert refusal(spec_of(replace(rules, starting_balance_minor=MOST_DEPOSITS + 1), trades)) == {
        STEPS: "adds 16106127.36 to the balance in 1 step, more than 16106127.35: give fewer steps, a smaller"
        " step_percent or a shorter horizon"
    }


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("rules.max_drawdown", {"max_drawdown": static(100_000_000)}),
        (
            "rules.max_drawdown",
            {"max_drawdown": MaxDrawdown(kind=DrawdownKind.TRAILING_INTRADAY, allowance_minor=100_000_000)},
        ),
        ("rules.daily_loss", {"daily_loss": DailyLoss(limit_minor=100_000_000)}),
    ],
    ids=["static", "trailing", "daily"],
)
def test_a_limit_grows_as_far_as_it_is_counted(name: str, limits: dict[str, MaxDrawdown]) -> None:
    """Nine steps of 1,000,000.00 on as much, but not ten."""
    rules = replace(GROWING, **limits)  # type: ignore[arg-type]

    assert agrees(spec_of(rules)) == {3}
    found = refusal(spec_of(replace(rules, scaling=replace(WHOLE, max_steps=10))))
    assert found == {
        STEPS: f"moves the floor of {name} 11000000.00 away in 10 steps, more than 10737418.24: give fewer steps, a"
        " smaller step_percent or a shorter horizon"
    }


def test_the_last_amount_that_is_counted_is_allowed() -> None:
    rules = Rules(starting_balance_minor=BEYOND, max_drawdown=static(REACH), scaling=WHOLE)

    agrees(spec_of(rules))
    assert set(refusal(spec_of(replace(rules, scaling=replace(WHOLE, step_ppm=1_000_001))))) == {STEPS}


@pytest.mark.parametrize("payout", [None, Payout(floor_minor=10**11)])
@pytest.mark.parametrize("kind", DrawdownKind)
def test_a_floor_that_is_out_of_reach_need_not_grow(kind: DrawdownKind, payout: Payout | None) -> None:
    rules = Rules(
        starting_balance_minor=10**11,
        max_drawdown=MaxDrawdown(kind=kind, allowance_minor=10**10),
        daily_loss=DailyLoss(limit_minor=5 * 10**9),
        payout=payout,
        scaling=replace(WHOLE, step_ppm=1_000, max_steps=16),
    )
    assert agrees(spec_of(rules, (*WINNERS, (-20_000_000, None, None)))) == {3}


def test_only_steps_that_come_before_the_horizon_count() -> None:
    """A large account grown by a quarter of itself up to 76 times, every 84 days."""
    rules = Rules(
        starting_balance_minor=10**8,
        max_drawdown=static(10**7),
        scaling=Scaling(every_days=84, min_profit_minor=10**7, step_ppm=250_000, max_steps=76),
    )
    spec = spec_of(rules, (*WINNERS, LOSER))

    one_block(replace(spec, settings=replace(spec.settings, horizon_days=84 * 64)))
    assert set(refusal(replace(spec, settings=replace(spec.settings, horizon_days=84 * 65)))) == {STEPS}


@pytest.mark.parametrize("percent", [25, 50, 60])
def test_an_account_of_ten_million_may_grow_as_usual(percent: int) -> None:
    scaling = replace(WHOLE, step_ppm=percent * 10_000, max_steps=160 // percent)
    rules = Rules(starting_balance_minor=10**9, max_drawdown=static(10**8), scaling=scaling)
    assert agrees(spec_of(replace(rules, daily_loss=DailyLoss(limit_minor=5 * 10**7)))) == {3}


@pytest.mark.parametrize("part", ["pnl", "mae", "mfe"])
def test_no_part_of_a_trade_grows_beyond_what_is_counted(part: str) -> None:
    drawdown = MaxDrawdown(kind=DrawdownKind.TRAILING_INTRADAY, allowance_minor=1_000)
    rules = Rules(starting_balance_minor=10_000, max_drawdown=drawdown, scaling=replace(WHOLE, max_steps=3))
    most = most_of_a_trade(rules, 12)
    assert most == (REACH * 2 - 3) // 8

    def spec(amount: int) -> Spec:
        large = {"pnl": (-amount, -amount, 0), "mae": (0, -amount, 0), "mfe": (0, 0, amount)}[part]
        return spec_of(rules, ((10, -5, 20), large))

    agrees(spec(most))
    assert refusal(spec(most + 1)) == {
        STEPS: "grows a trade beyond 5368709.12, the most that is computed: give fewer steps, a smaller step_percent"
        " or a shorter horizon"
    }


def test_trades_are_as_large_as_stress_makes_them() -> None:
    most = most_of_a_trade(GROWING, 12)
    for loss, fits in ((most // 2, True), (most // 2 + 1, False)):
        spec = spec_of(GROWING, ((300, None, None), (-loss, None, None)), stress=Stress(loss_factor=2))
        if fits:
            one_block(spec)
        else:
            assert set(refusal(spec)) == {STEPS}


@pytest.mark.parametrize("excursions", [True, False])
def test_an_open_loss_that_is_not_looked_at_may_be_of_any_size(excursions: bool) -> None:
    rules = Rules(starting_balance_minor=10_000, max_drawdown=static(1_000), scaling=replace(WHOLE, max_steps=3))
    spec = spec_of(rules, ((10, -REACH, 20), (-5, -10, 0)), excursions=excursions)
    if excursions:
        assert set(refusal(spec)) == {STEPS}
    else:
        agrees(spec)


def test_the_worst_day_counts_with_the_trade_that_it_is_added_to() -> None:
    rules = Rules(starting_balance_minor=10_000, max_drawdown=static(1_000), scaling=WHOLE)
    most = most_of_a_trade(rules, 12)
    for loss, fits in ((most // 2, True), (most // 2 + 1, False)):
        spec = spec_of(rules, ((-loss, None, None),), stress=Stress(worst_day=True))
        if fits:
            agrees(spec)
        else:
            assert set(refusal(spec)) == {STEPS}


def test_a_fitted_trade_is_cut_where_all_steps_keep_it_within_reach() -> None:
    rules = Rules(starting_balance_minor=10_000, scaling=replace(WHOLE, max_steps=9))
    trades = [(pnl, None, None) for pnl in (-5_000_000, 6_000_000, 900_000, -1_000_000)]
    plan = one_block(spec_of(rules, trades, model=Model.NORMAL))
    quantiles = plan.source.quantiles
    assert quantiles is not None
    assert abs(quantiles.values).max() / 2**quantiles.digits <= most_of_a_trade(rules, 12) < REACH // 9

    wider = [(10 * pnl, None, None) for pnl, _, _ in trades]
    assert set(refusal(spec_of(rules, wider, model=Model.NORMAL))) == {STEPS}
    one_block(spec_of(replace(rules, scaling=None), wider, model=Model.NORMAL))


def test_a_scenario_whose_limits_grow_too_far_is_told_by_its_factor() -> None:
    rules = replace(GROWING, max_drawdown=static(50_000_000))
    one_block(spec_of(rules, scenarios=[Scenario(name="wide", limits_factor=2.0)]))

    found = refusal(spec_of(rules, scenarios=[Scenario(name="wide", limits_factor=2.2)]))
    assert found == {
        "settings.scenarios[0].limits_factor": "cannot be simulated: with it, rules.scaling.max_steps moves the floor"
        " of rules.max_drawdown 11000000.00 away in 9 steps, more than 10737418.24: give fewer steps, a smaller"
        " step_percent or a shorter horizon"
    }


def test_a_scenario_whose_trades_grow_too_far_is_told_by_its_stress() -> None:
    calm = Scenario(name="calm", limits_factor=0.9)
    for factor, fits in ((3.5, True), (3.6, False)):
        worse = Scenario(name="worse", stress=Stress(loss_factor=factor))
        spec = spec_of(GROWING, scenarios=[calm, worse])
        if fits:
            one_block(spec)
        else:
            [(field, why)] = refusal(spec).items()
            assert field == "settings.scenarios[1].stress"
            assert why.startswith("cannot be simulated: with it, rules.scaling.max_steps grows a trade beyond")
