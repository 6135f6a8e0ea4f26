"""Importance sampling against closed forms and against many plain paths.

A figure must lie within 4.5 of its standard errors: a right engine fails a test with probability 6.8e-6.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from simulator import crew, engine, guided, rare, rare_event, rare_weights, result, tilted
from simulator.device import Device
from simulator.launching import Flight, Launcher, Name
from simulator.planning import Plan
from simulator.rare_event import RareEvent
from simulator.spec import (
    Account,
    DailyAction,
    DailyAnchor,
    DailyLoss,
    DrawdownKind,
    FloorAfterPayout,
    MaxDrawdown,
    Model,
    Payout,
    Phase,
    Rules,
    Scaling,
    Settings,
)
from simulator.tally import Outcome, Tally
from simulator.tilting import Weighting
from tests.statistical.closed_forms import ruin, ruin_within
from tests.statistical.simulation import ALLOWED_ERRORS, FRESH, ONE_A_DAY, START, rare_events, walk
from tests.unit.simulator.samples import plan_of

ALLOWED_RELATIVE_ERROR = 0.05


def plan_for(
    history: Sequence[Sequence[int]], allowance: int, *, days: int, paths: int,
    kind: DrawdownKind = DrawdownKind.STATIC, settings: Settings = ONE_A_DAY,
) -> Plan:  # fmt: skip
    """An account that can only be ruined or live on."""
    drawdown = MaxDrawdown(kind=kind, allowance_minor=allowance)
    rules = Rules(starting_balance_minor=START, max_drawdown=drawdown)
    settings = replace(settings, horizon_days=days, paths=paths, seed=20_261_123)
    return plan_of(settings, days=history, rules=rules, account=FRESH)


@pytest.mark.parametrize(("allowance", "truth"), [(50, 4.39026984e-5), (100, 1.92744693e-9)])
def test_ruin_of_a_favourable_walk(allowance: int, truth: float) -> None:
    """Up with 0.55: ruin from z has probability (q/p)^z (Feller I, XIV), all but nothing of it in 3,000 steps."""
    [event] = rare_events(plan_for(walk(11, 9), allowance, days=3000, paths=1), [Outcome.BREACHED_MAX_DRAWDOWN])
    assert event.relative_error < ALLOWED_RELATIVE_ERROR
    assert event.probability == pytest.approx(truth, rel=ALLOWED_ERRORS * event.relative_error + 1e-6)
    assert event.estimate.ci_low <= event.probability <= event.estimate.ci_high


@pytest.mark.parametrize(("wins", "losses", "allowance"), [(11, 9, 60), (11, 9, 80), (6, 4, 34), (6, 4, 50)])
def test_moments_are_spread_over_the_lives_of_paths(wins: int, losses: int, allowance: int) -> None:
    """None lives to the horizon, being 200 up long before: before each step to a new height, the walk may fall from the
    last one to the floor that trails. Spread over the horizon, most moments came after the end; over the mean life, too
    few after it.
    """
    target, chance = 200, wins / (wins + losses)
    truth = 1 - (1 - ruin(chance, allowance, allowance + 1)) ** target
    assert 1e-7 < truth < 1e-3
    drawdown = MaxDrawdown(kind=DrawdownKind.TRAILING_END_OF_DAY, allowance_minor=allowance)
    rules = Rules(starting_balance_minor=START, max_drawdown=drawdown, target_minor=START + target)
    settings = replace(ONE_A_DAY, horizon_days=10_000, paths=1, seed=20_261_127)
    plan = plan_of(settings, days=walk(wins, losses), rules=rules, account=FRESH)
    [event] = rare_events(plan, [Outcome.BREACHED_MAX_DRAWDOWN])
    assert event.relative_error < ALLOWED_RELATIVE_ERROR / 2
    assert event.probability == pytest.approx(truth, rel=ALLOWED_ERRORS * event.relative_error)


def heavy_tailed() -> Sequence[Sequence[int]]:
    """Two trades a day, with fat tails."""
    draws = np.random.default_rng(1).standard_t(4, (150, 2)) * 90 + 20
    return [[round(each) for each in day] for day in draws]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", list(DrawdownKind))
@pytest.mark.parametrize("model", [Model.IID, Model.DAY, Model.STATIONARY, Model.CIRCULAR])
def test_the_same_as_many_plain_paths(kind: DrawdownKind, model: Model) -> None:
    """A probability of about 1e-3 or less, which 400,000 plain paths know to a tenth or so."""
    settings = Settings(model=model, rare_events=False)
    plan = plan_for(heavy_tailed(), 5500, days=126, paths=400_000, kind=kind, settings=settings)
    plain = engine.simulate(plan).outcomes[Outcome.BREACHED_MAX_DRAWDOWN] / plan.paths
    [event] = rare_events(plan, [Outcome.BREACHED_MAX_DRAWDOWN])
    error = np.hypot(event.std_error, np.sqrt(plain / plan.paths))
    assert event.relative_error < ALLOWED_RELATIVE_ERROR
    assert abs(event.probability - plain) < ALLOWED_ERRORS * error, (event, plain)


def test_the_engine_chooses_it_where_plain_paths_are_wasted() -> None:
    plan = plan_for(walk(11, 9), 50, days=3000, paths=60_000)
    found = crew.simulate(plan)
    built = result.build(plan, found, 0.0)
    [event] = built.rare_events
    assert built.outcomes.breached_max_drawdown.value < 5e-4
    assert event.outcome == "breached_max_drawdown"
    assert event.relative_error < ALLOWED_RELATIVE_ERROR
    assert event.probability.value == pytest.approx(4.39026984e-5, rel=ALLOWED_ERRORS * event.relative_error)
    assert event.tilt < 0


def busy_days() -> Sequence[Sequence[int]]:
    """Six trades a day, with fat tails."""
    draws = np.random.default_rng(3).standard_t(4, (50, 6)) * 150 + 15
    return [[round(each) for each in day] for day in draws]


BY_DAYS_OF_THE_HISTORY = Settings(model=Model.IID, horizon_days=20)


def daily_plan(
    limit: int, allowance: int, *, seed: int = 1, paths: int = 400_000, settings: Settings = BY_DAYS_OF_THE_HISTORY
) -> Plan:
    """An account with both floors, of which the day's is met more often."""
    rules = Rules(
        starting_balance_minor=START,
        max_drawdown=MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=allowance),
        daily_loss=DailyLoss(limit_minor=limit, anchor=DailyAnchor.PRIOR_BALANCE, action=DailyAction.FAIL),
    )
    settings = replace(settings, paths=paths, seed=seed)
    return plan_of(settings, days=busy_days(), rules=rules, account=FRESH)


@pytest.mark.parametrize("allowance", [10_000, 40_000])
def test_a_rare_daily_loss_has_a_tilt_of_its_own(allowance: int) -> None:
    """However far the other floor is; about 2.4e-4."""
    plan = daily_plan(2_500, allowance)
    plain = engine.simulate(plan).outcomes[Outcome.BREACHED_DAILY_LOSS] / plan.paths
    [event] = rare_events(plan, [Outcome.BREACHED_DAILY_LOSS])
    error = np.hypot(event.std_error, np.sqrt(plain / plan.paths))
    assert event.relative_error < ALLOWED_RELATIVE_ERROR
    assert abs(event.probability - plain) < ALLOWED_ERRORS * error, (event, plain)


@pytest.mark.parametrize(("trades", "limit"), [(100, 50), (256, 70), (256, 86)])
def test_a_daily_limit_of_few_minor_units_is_met_as_often_as_it_is(trades: int, limit: int) -> None:
    """Rooms are whole numbers: cells that began at fractions were told apart otherwise than the paths told them, and
    0.65 to 0.8 of the truth was found.
    """
    truth = 1 - (1 - ruin_within([1, -1], limit, trades)) ** 2
    assert 1e-7 < truth < 1e-4
    rules = Rules(starting_balance_minor=START, daily_loss=DailyLoss(limit_minor=limit))
    settings = Settings(model=Model.IID, trades_per_day=trades, horizon_days=2, paths=1, seed=3)
    plan = plan_of(settings, days=[[1], [-1]] * 30, rules=rules, account=FRESH)
    [event] = rare_events(plan, [Outcome.BREACHED_DAILY_LOSS])
    assert event.relative_error < 2 * ALLOWED_RELATIVE_ERROR
    assert event.probability == pytest.approx(truth, rel=ALLOWED_ERRORS * event.relative_error)


def short_days() -> Sequence[Sequence[int]]:
    """One or two trades a day, of which several must come together for a large loss."""
    draws = np.random.default_rng(7).standard_t(4, 150) * 90 + 15
    trades = [round(each) for each in draws]
    return [trades[first : first + 2] if first % 3 else [trades[first]] for first in range(0, 150, 2)]


@pytest.mark.parametrize(
    ("days", "limit", "settings", "most_blocks"),
    [
        (short_days(), 900, Settings(model=Model.STATIONARY, block_length=1.5), 8),
        (short_days(), 2_000, Settings(model=Model.STATIONARY, block_length=1.5), 8),
        (busy_days(), 9_000, Settings(model=Model.STATIONARY, block_length=4), 8),
        (busy_days(), 3_500, Settings(model=Model.IID), 12),
        (busy_days(), 3_500, Settings(model=Model.IID, trades_per_day=6), 8),
        (busy_days(), 6_000, Settings(model=Model.IID, trades_per_day=20), 12),
        (busy_days(), 5_500, Settings(model=Model.CIRCULAR, block_length=4), 12),
    ],
)
def test_a_loss_of_a_day_is_soon_precise_however_it_comes(
    days: Sequence[Sequence[int]], limit: int, settings: Settings, most_blocks: int
) -> None:
    """Weights that did not know what a day may still lose took 48 to 96 blocks, to 5%, where days are short."""
    rules = Rules(starting_balance_minor=START, daily_loss=DailyLoss(limit_minor=limit))
    plan = plan_of(replace(settings, paths=1, horizon_days=60, seed=5), days=days, rules=rules, account=FRESH)
    [event] = rare_events(plan, [Outcome.BREACHED_DAILY_LOSS])
    assert event.probability < 1e-3
    assert event.relative_error <= 0.02
    assert event.paths <= most_blocks * rare_weights.BLOCK_PATHS


def test_what_no_day_can_lose_is_not_sought_and_not_missed() -> None:
    """Six trades of the history lose 900 each at the worst, so that no day loses 6,000."""
    plan = daily_plan(6_000, 10_000, paths=60_000, settings=replace(BY_DAYS_OF_THE_HISTORY, trades_per_day=6))
    assert max(-each for day in busy_days() for each in day) < 1_000
    with CountingLauncher(1) as launcher:
        assert rare.estimate(plan, [Outcome.BREACHED_DAILY_LOSS], launcher) == ()
    assert not launcher.looked_at
    built = result.build(plan, crew.simulate(plan), 0.0)
    assert [each.outcome for each in built.rare_events] == ["breached_max_drawdown"]
    assert not {"RARE_EVENT_UNRELIABLE", "FEW_BREACHES"} & {each.code for each in built.warnings}


def slow_gains() -> Sequence[Sequence[int]]:
    """One trade a day, with fat tails."""
    return [[round(each)] for each in np.random.default_rng(5).standard_t(5, 400) * 100 + 35]


def still_floor(allowance: int) -> MaxDrawdown:
    return MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=allowance)


def test_a_payout_may_bring_a_floor_that_stands_still_nearer() -> None:
    """Of 2 million paths 112 breach: those that are paid out first, and then find the floor at the start."""
    payout = Payout(floor_minor=START + 2_200, every_days=10, floor_after=FloorAfterPayout.START)
    rules = Rules(starting_balance_minor=START, max_drawdown=still_floor(6_000), payout=payout)
    settings = replace(ONE_A_DAY, horizon_days=120, paths=2_000_000, seed=20_261_127)
    plan = plan_of(settings, days=slow_gains(), rules=rules, account=FRESH)
    plain = engine.simulate(plan).outcomes[Outcome.BREACHED_MAX_DRAWDOWN] / plan.paths
    [event] = rare_events(plan, [Outcome.BREACHED_MAX_DRAWDOWN])
    error = np.hypot(event.std_error, np.sqrt(plain / plan.paths))
    assert event.relative_error < ALLOWED_RELATIVE_ERROR
    assert abs(event.probability - plain) < ALLOWED_ERRORS * error, (event, plain)


@pytest.mark.parametrize("step_ppm", [250_000, 1_000_000])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_loss_of_a_day_is_found_whatever_the_trades_have_grown_to(step_ppm: int, seed: int) -> None:
    """The limit grows with them, so that each day is as likely to meet it: amounts are multiples of 4."""
    history = [4 * round(each) for each in np.random.default_rng(1).standard_t(4, 100) * 3 + 1.7]
    limit, trades, days = 4 * 70, 6, 40
    truth = 1 - (1 - ruin_within(history, limit, trades)) ** days
    assert 1e-5 < truth < 1e-3
    scaling = Scaling(every_days=5, min_profit_minor=0, step_ppm=step_ppm, max_steps=4)
    rules = Rules(starting_balance_minor=START, daily_loss=DailyLoss(limit_minor=limit), scaling=scaling)
    settings = Settings(model=Model.IID, trades_per_day=trades, horizon_days=days, paths=1, seed=seed)
    plan = plan_of(settings, days=[[each] for each in history], rules=rules, account=FRESH)
    [event] = rare_events(plan, [Outcome.BREACHED_DAILY_LOSS])
    assert event.relative_error < ALLOWED_RELATIVE_ERROR
    assert event.probability == pytest.approx(truth, rel=ALLOWED_ERRORS * event.relative_error)


def test_where_no_trade_gains_nothing_is_sought_but_it_is_not_called_impossible() -> None:
    """No weights are known that find it."""
    rules = Rules(starting_balance_minor=START, max_drawdown=still_floor(500))
    settings = replace(ONE_A_DAY, horizon_days=20, paths=60_000, seed=1)
    plan = plan_of(settings, days=[[-1]] * 99 + [[-150]], rules=rules, account=FRESH)
    built = result.build(plan, crew.simulate(plan), 0.0)
    assert not built.rare_events
    assert {each.code for each in built.warnings} >= {"RARE_EVENT_UNRELIABLE", "FEW_BREACHES"}


@pytest.mark.parametrize("phases", [1, 2, 3])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_floor_that_stands_still_may_be_met_in_any_phase(phases: int, seed: int) -> None:
    """Each begins anew, and none but those paths that are ruined fails to pass it."""
    allowance, target = 50, 30
    truth = 1 - (1 - ruin(0.55, allowance, allowance + target)) ** phases
    steps = tuple(Phase(target_minor=START + target) for _ in range(phases))
    rules = Rules(starting_balance_minor=START, max_drawdown=still_floor(allowance), phases=steps)
    settings = replace(ONE_A_DAY, horizon_days=10_000, paths=1, seed=seed)
    [event] = rare_events(
        plan_of(settings, days=walk(11, 9), rules=rules, account=FRESH), [Outcome.BREACHED_MAX_DRAWDOWN]
    )
    assert event.relative_error < ALLOWED_RELATIVE_ERROR / 2
    assert event.probability == pytest.approx(truth, rel=ALLOWED_ERRORS * event.relative_error)


def test_weighted_paths_beyond_what_is_computed_leave_the_plain_ones() -> None:
    """A floor at 5.6e8 below, of which plain paths stay far."""
    history = [[round(each)] for each in np.random.default_rng(5).standard_t(5, 400) * 5_000_000 + 1_500_000]
    rules = Rules(starting_balance_minor=1_500_000_000, max_drawdown=still_floor(560_000_000))
    account = Account(balance_minor=1_500_000_000, high_water_mark_minor=1_500_000_000)
    settings = replace(ONE_A_DAY, horizon_days=60, paths=60_000, seed=1)
    plan = plan_of(settings, days=history, rules=rules, account=account)
    found = crew.simulate(plan)
    assert found.tally.paths == plan.paths
    assert found.rare == ()


def test_the_errors_are_those_of_repeated_runs() -> None:
    """Of 16 seeds; the sum of squares is beyond these bounds with probability 2e-4 if the errors are right."""
    found = []
    for seed in range(16):
        plan = daily_plan(3_500, 40_000, seed=seed, paths=1)
        found += rare_events(plan, [Outcome.BREACHED_DAILY_LOSS])
    assert len(found) == 16
    mean = np.mean([each.probability for each in found])
    squares = sum(((each.probability - mean) / each.std_error) ** 2 for each in found)
    low, high = chi2.ppf([1e-4, 1 - 1e-4], df=15)
    assert low < squares < high


@pytest.mark.parametrize("threads", [3, 5])
def test_threads_change_no_figure(threads: int) -> None:
    plan = daily_plan(3_500, 40_000, paths=1)
    one, more = (rare_events(plan, [Outcome.BREACHED_DAILY_LOSS], threads=each) for each in (1, threads))
    assert one == more
    assert one[0].paths % (threads * rare_weights.BLOCK_PATHS), "it ends in the middle of what runs at once"


def far_from_ruin(allowance: int) -> Plan:
    """Up with 0.95, so that a path is ruined with probability (1/19)^allowance (Feller I, XIV), and soon if at all."""
    settings = replace(ONE_A_DAY, rare_events=True)
    return plan_for(walk(19, 1), allowance, days=300, paths=rare.LEAST_PATHS, settings=settings)


@pytest.mark.parametrize("allowance", [10, 200])
def test_what_will_all_but_never_be_is_told_by_its_magnitude(allowance: int) -> None:
    """Down to 1.8e-256, of which the square is no double."""
    [event] = rare_events(far_from_ruin(allowance), [Outcome.BREACHED_MAX_DRAWDOWN])
    assert event.relative_error <= rare_weights.ENOUGH_OF_SO_LITTLE
    assert event.paths >= 16_384, "fewer may miss the great weights"
    allowed = ALLOWED_ERRORS * event.relative_error + 1e-6
    assert event.probability == pytest.approx(19.0**-allowance, rel=allowed, abs=0)


def test_no_more_paths_than_its_magnitude_takes() -> None:
    """About 6.5e-56, of which one percent would take 90 blocks."""
    [event] = rare_events(daily_plan(3_500, 40_000, paths=1), [Outcome.BREACHED_MAX_DRAWDOWN])
    assert event.probability == pytest.approx(6.5e-56, rel=0.25, abs=0)
    assert event.paths < 10 * rare_weights.BLOCK_PATHS


def test_an_account_that_is_nowhere_near_its_floor_has_a_result() -> None:
    plan = far_from_ruin(150)
    [event] = result.build(plan, crew.simulate(plan), 0.0).rare_events
    found = event.probability
    assert 0 < found.ci_low < found.value < found.ci_high < 1e-190


def test_a_tilt_that_misses_most_ways_to_breach_is_not_chosen() -> None:
    """One whose figure is 4e-18, to a percent, stands beside others that are 5.7e-5."""
    plan = plan_for(heavy_tailed(), 5_500, days=126, paths=1, settings=Settings(model=Model.DAY))
    [event] = rare_events(replace(plan, seed=22), [Outcome.BREACHED_MAX_DRAWDOWN])
    assert event.probability == pytest.approx(5.7e-5, rel=0.05)


class CountingLauncher(Launcher):
    """Counts the blocks that were looked at."""

    looked_at = 0

    def flown(self, wanted: Iterable[tuple[Name, Device, range]]) -> Generator[tuple[Name, Flight], None, None]:
        with closing(super().flown(wanted)) as flights:
            for each in flights:
                self.looked_at += 1
                yield each


def v_shaped() -> Sequence[Sequence[int]]:
    """One day in 200 falls far and ends with a gain: the P&L of a day does not show how it breaches."""
    draws = np.random.default_rng(5).normal(12, 60, (200, 3))
    days: list[list[int]] = [[round(each) for each in day] for day in draws]
    days[77] = [-1_500, 2_500]
    return days


def test_a_search_that_will_not_be_precise_is_given_up() -> None:
    """Days that lose and the one that falls far make up the way down together, and no score favours both."""
    plan = plan_for(v_shaped(), 2_150, days=20, paths=1, settings=Settings(model=Model.DAY))
    with CountingLauncher(2) as launcher:
        assert rare.estimate(plan, [Outcome.BREACHED_MAX_DRAWDOWN], launcher) == ()
    pilots = len(list(rare._weightings(plan, Outcome.BREACHED_MAX_DRAWDOWN)))
    followed_up = launcher.looked_at - pilots - rare.LOOKS[0]
    assert followed_up in {1, 2}, "the best by P&L, by the lowest point, or both"


@pytest.mark.parametrize(
    ("days", "allowance", "block_length", "most_blocks"),
    [
        (heavy_tailed(), 5_500, 4, 14),
        (v_shaped(), 3_000, 4, 8),
        (busy_days(), 9_000, 4, 6),
        (busy_days(), 20_000, 1, 10),
    ],
)
def test_blocks_and_days_that_end_by_chance_are_as_good_as_single_trades(
    days: Sequence[Sequence[int]], allowance: int, block_length: int, most_blocks: int
) -> None:
    """Weights that depend on where blocks happen to end, or on how many trades a day happens to have, take far more."""
    settings = Settings(model=Model.STATIONARY, block_length=block_length)
    plan = plan_for(days, allowance, days=60, paths=1, settings=settings)
    [event] = rare_events(plan, [Outcome.BREACHED_MAX_DRAWDOWN])
    assert event.relative_error <= 0.02
    assert event.paths <= most_blocks * rare_weights.BLOCK_PATHS


@pytest.mark.parametrize("starts", [1, 8])
@pytest.mark.parametrize("by_low", [False, True])
@pytest.mark.parametrize("model", [Model.IID, Model.DAY, Model.STATIONARY, Model.CIRCULAR])
def test_the_weights_of_all_paths_are_one_on_average(model: Model, by_low: bool, starts: int) -> None:
    """Of those that breach and of those that do not: no draw is counted twice or not at all."""
    settings = Settings(model=model, block_length=4 if model in {Model.STATIONARY, Model.CIRCULAR} else None)
    plan = plan_for(heavy_tailed(), 5_500, days=40, paths=1, settings=settings)
    assert_weights_of_all_paths_are_one(plan, Weighting(strength=0.001, starts=starts, by_low=by_low))


@pytest.mark.parametrize("model", [Model.IID, Model.DAY, Model.STATIONARY, Model.CIRCULAR])
def test_and_of_those_that_are_led_to_the_loss_of_a_day(model: Model) -> None:
    length = 4 if model in {Model.STATIONARY, Model.CIRCULAR} else None
    settings = Settings(model=model, block_length=length, horizon_days=5)
    plan = daily_plan(300, 40_000, paths=1, settings=settings)
    weighting = guided.weighting(plan)
    assert weighting is not None
    assert_weights_of_all_paths_are_one(plan, weighting)


def assert_weights_of_all_paths_are_one(plan: Plan, weighting: Weighting) -> None:
    weighted = rare._with(plan, weighting, 1)
    finished = Device(weighted).finished(range(10))
    weights = tilted.weights(weighted, finished, np.ones(finished.outcome.size, bool))
    assert weights.std() > 0.2
    assert abs(weights.mean() - 1) < ALLOWED_ERRORS * weights.std() / np.sqrt(weights.size)


@pytest.mark.parametrize("model", [Model.DAY, Model.STATIONARY, Model.IID])
def test_a_figure_that_misses_a_way_to_breach_is_not_shown(model: Model) -> None:
    """What is shown agrees with many more plain paths than the simulation has; else the reader is warned."""
    settings = Settings(model=model, rare_events=False)
    many = plan_for(v_shaped(), 2_150, days=20, paths=500_000, settings=settings)
    truth = engine.simulate(many).outcomes[Outcome.BREACHED_MAX_DRAWDOWN] / many.paths
    for seed in range(4):
        spec = replace(
            many.spec, settings=replace(settings, horizon_days=20, paths=60_000, seed=seed, rare_events=True)
        )
        plan = engine.plan(spec, "ab" * 32)
        found = crew.simulate(plan)
        built = result.build(plan, found, 0.0)
        warned = "RARE_EVENT_UNRELIABLE" in {each.code for each in built.warnings}
        sought = bool(rare.wanted(plan, found.tally))
        assert warned == (sought and not built.rare_events)
        for event in built.rare_events:
            error = np.hypot(event.probability.std_error, np.sqrt(truth / many.paths))
            assert abs(event.probability.value - truth) < ALLOWED_ERRORS * error, (event, truth)


@pytest.mark.parametrize(("hits", "believed"), [(0, True), (54, False), (3, True)])
def test_what_plain_paths_contradict_is_not_believed(hits: int, believed: bool) -> None:
    """1.3 of 100,000 paths are expected; the interval of a figure says nothing of a way to breach that it misses."""
    event = RareEvent(
        outcome=Outcome.BREACHED_MAX_DRAWDOWN, probability=1.3e-5, std_error=1.3e-7, paths=10_000,
        weighting=Weighting(strength=0.01, starts=8),
    )  # fmt: skip
    plain = replace(Tally.empty(), paths=100_000, outcomes=(0, hits, 0, 100_000 - hits))
    assert rare_event.tells_more(event, plain) is believed


@pytest.mark.parametrize("spoiled", ["often", "switched off", "no floor", "few paths"])
def test_and_only_there(spoiled: str) -> None:
    plan = plan_for(walk(11, 9), 50, days=3000, paths=60_000)
    breached = 0
    match spoiled:
        case "often":
            breached = 100
        case "switched off":
            settings = replace(plan.spec.settings, rare_events=False)
            plan = replace(plan, spec=replace(plan.spec, settings=settings))
        case "no floor":
            plan = replace(plan, spec=replace(plan.spec, rules=Rules(starting_balance_minor=START)))
    paths = 40_000 if spoiled == "few paths" else 60_000
    tally = replace(Tally.empty(), paths=paths, outcomes=(0, breached, 0, paths - breached))
    assert rare.wanted(plan, tally) == ()


def test_what_is_found_survives_its_serial_form() -> None:
    plan = plan_for(walk(11, 9), 50, days=200, paths=1)
    events = rare_events(plan, [Outcome.BREACHED_MAX_DRAWDOWN])
    assert rare_event.from_bytes(rare_event.to_bytes(events)) == events
