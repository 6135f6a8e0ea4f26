"""Estimation risk: whole days drawn again, the inner paths' noise taken off, and nothing unseen called impossible."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from simulator import outer_bootstrap, sections
from simulator.block_length import automatic_block_length
from simulator.errors import InvalidInput
from simulator.estimation_risk import LEFT_OUT, Histories, interval
from simulator.fit import HEAVIEST
from simulator.launching import Launcher
from simulator.planning import Plan
from simulator.sections import Section
from simulator.spec import EstimationRisk, Model, Rules, Settings, Stress
from simulator.tally import Outcome
from tests.unit.simulator.samples import DAYS, plan_of


def histories(shares: np.ndarray, paths: int, rng: np.random.Generator) -> Histories:
    """Histories with these probabilities to pass, each seen through so many paths."""
    passed = rng.binomial(paths, shares).tolist()
    return Histories(ends={number: (k, 0, 0, paths - k) for number, k in enumerate(passed)})


def test_the_spread_is_that_of_the_histories_and_not_that_of_the_inner_paths() -> None:
    """Of the variance of 4,000 histories half is inner noise, so what is left is known to 4.5%, its root to 2.2%.

    Within 5 of those standard errors: a false alarm in a million.
    """
    rng, paths = np.random.default_rng(3), 100
    shares = np.clip(rng.normal(0.5, 0.05, 4_000), 0, 1)
    found = interval(histories(shares, paths, rng), Outcome.PASSED)

    raw = np.sqrt(0.05**2 + 0.25 / paths)
    assert raw > 1.4 * 0.05
    assert found.std_dev == pytest.approx(0.05, rel=5 * 0.022)
    assert found.mean == pytest.approx(0.5, abs=5 * raw / np.sqrt(4_000))
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.05, rel=0.12)


def test_histories_that_differ_by_noise_alone_have_hardly_any_spread() -> None:
    rng = np.random.default_rng(4)
    found = interval(histories(np.full(2_000, 0.3), 256, rng), Outcome.PASSED)
    assert found.std_dev < 0.35 * np.sqrt(0.3 * 0.7 / 256)
    assert found.low < 0.3 < found.high < found.low + 4 * 0.35 * np.sqrt(0.3 * 0.7 / 256)


def test_with_many_paths_the_interval_is_that_of_the_percentiles() -> None:
    rng = np.random.default_rng(5)
    shares = rng.beta(2, 8, 999)
    found = interval(histories(shares, 2_000_000, rng), Outcome.PASSED)
    ordered = np.sort(shares)
    assert (found.low, found.high) == pytest.approx((ordered[24], ordered[974]), abs=2e-3)


@pytest.mark.parametrize("count", [100, 200, 500])
@pytest.mark.parametrize(("a", "b", "paths"), [(2, 8, 2_048), (8, 2, 256), (60, 140, 1_024), (0.3, 30, 2_048)])
def test_the_errors_of_the_ends_are_what_the_ends_vary_by(count: int, a: float, b: float, paths: int) -> None:
    """400 times so many histories, of which the probabilities are Beta(a, b). The standard deviation of 400 ends is
    known to about 5%. Over these cases, and with 1,000 histories, the ratio was 0.98 to 1.18: with few histories beyond
    an end such errors are a little too large. Outside of 0.8 to 1.35, 3 standard errors from there, is an alarm.
    """
    rng = np.random.default_rng(count)
    found = [interval(histories(rng.beta(a, b, count), paths, rng), Outcome.PASSED) for _ in range(400)]
    for end, error in (("low", "low_std_error"), ("high", "high_std_error")):
        truth = np.std([getattr(each, end) for each in found], ddof=1)
        stated = np.sqrt(np.mean([getattr(each, error) ** 2 for each in found]))
        assert stated == truth == 0 or 0.8 < stated / truth < 1.35, (end, stated, truth)


def test_errors_of_the_ends_are_not_known_of_few_histories_or_where_all_ended_alike() -> None:
    rng = np.random.default_rng(7)
    few = interval(histories(rng.beta(2, 8, 99), 500, rng), Outcome.PASSED)
    assert (few.low_std_error, few.high_std_error) == (np.inf, np.inf)
    never = interval(histories(np.zeros(200), 500, rng), Outcome.PASSED)
    assert (never.low_std_error, never.high_std_error) == (np.inf, np.inf)


def test_what_no_path_did_is_not_called_impossible() -> None:
    found = interval(Histories(ends=dict.fromkeys(range(50), (0, 0, 0, 1000))), Outcome.BREACHED_DAILY_LOSS)
    assert (found.mean, found.std_dev, found.low) == (0, 0, 0)
    assert 1 / 50_000 < found.high < 10 / 50_000
    certain = interval(Histories(ends=dict.fromkeys(range(50), (0, 0, 0, 1000))), Outcome.EXPIRED)
    assert (certain.low, certain.high) == pytest.approx((1 - found.high, 1))


KINDS: dict[str, Callable[[np.random.Generator, float, int], np.ndarray]] = {
    "alike": lambda _, mean, count: np.full(count, mean),
    "log-normal, cv 1": lambda rng, mean, count: mean * np.exp(rng.normal(-np.log(2) / 2, np.log(2) ** 0.5, count)),
    "log-normal, cv 2": lambda rng, mean, count: mean * np.exp(rng.normal(-np.log(5) / 2, np.log(5) ** 0.5, count)),
    "gamma, cv 2": lambda rng, mean, count: rng.gamma(0.25, 4 * mean, count),
    "copies of a day": lambda rng, mean, count: mean * rng.poisson(1, count),
}


@pytest.mark.parametrize("mean", [3e-6, 1.6e-5, 1e-4, 3e-4, 1e-3, 1e-2, 0.1])
@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_holds_the_probability_of_another_history_however_few_events_there_are(
    kind: str, mean: float
) -> None:
    """100 times 200 histories of 2,048 paths, against 100 more histories each. The least share was 95.1%, the standard
    errors at most 0.8 points: below 91% is an alarm.
    """
    rng, held = np.random.default_rng(11), []
    for _ in range(100):
        found = interval(histories(np.minimum(KINDS[kind](rng, mean, 200), 1), 2_048, rng), Outcome.PASSED)
        assert found.low < found.high
        others = np.minimum(KINDS[kind](rng, mean, 100), 1)
        held.append(np.mean((found.low <= others) & (others <= found.high)))
    assert np.mean(held) > 0.91


@pytest.mark.parametrize("mean", [1e-4, 0.3])
def test_an_outcome_and_its_contrary_have_mirrored_intervals(mean: float) -> None:
    rng = np.random.default_rng(12)
    ends = {number: (k, 0, 0, 2_048 - k) for number, k in enumerate(rng.binomial(2_048, np.full(200, mean)).tolist())}
    one, other = (interval(Histories(ends=ends), outcome) for outcome in (Outcome.PASSED, Outcome.EXPIRED))
    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low))


def test_events_that_crowd_on_some_histories_spread_the_interval() -> None:
    spread, crowded = (
        interval(Histories(ends={n: (k, 0, 0, 2_048 - k) for n, k in enumerate(counts)}), Outcome.PASSED)
        for counts in ([1] * 6 + [0] * 194, [2] * 3 + [0] * 197)
    )
    assert spread.low == crowded.low == 0
    assert crowded.high > 1.2 * spread.high


def test_one_history_is_not_enough() -> None:
    with pytest.raises(ValueError, match="two histories"):
        interval(Histories(ends={0: (1, 2, 3, 4)}), Outcome.PASSED)


def test_serialised_histories_are_the_same_in_any_order() -> None:
    one, other = Histories(ends={3: (1, 2, 3, 4)}), Histories(ends={1: (4, 3, 2, 1)})
    assert (one | other).to_bytes() == (other | one).to_bytes()
    assert Histories.from_bytes((one | other).to_bytes()) == one | other
    with pytest.raises(ValueError, match="cut short"):
        Histories.from_bytes(one.to_bytes()[:-1])


def test_days_come_in_blocks_of_the_mean_length_that_wrap_round_and_each_is_as_likely() -> None:
    """200,000 draws: the share of restarts and the counts of the days within 5 standard errors (false alarm 1e-5)."""
    days, length, runs = 50, 4.0, 4_000
    drawn = [outer_bootstrap.drawn_days(seed, days, length) for seed in range(runs)]
    follows = np.concatenate([np.diff(each) % days == 1 for each in drawn])
    goes_on = (1 - 1 / length) + 1 / length / days
    assert follows.mean() == pytest.approx(goes_on, abs=5 * np.sqrt(goes_on * (1 - goes_on) / follows.size))
    counts = np.bincount(np.concatenate(drawn), minlength=days)
    spread = np.sqrt(runs * days / days * (2 * length - 1))
    assert np.abs(counts - runs).max() < 5 * spread


def test_a_block_length_of_one_draws_days_independently() -> None:
    follows = np.diff(outer_bootstrap.drawn_days(9, 20_000, 1.0)) % 20_000 == 1
    assert follows.mean() < 0.001


def test_a_resampled_history_is_made_of_whole_days() -> None:
    history = plan_of(Settings()).history
    found = outer_bootstrap.resampled(history, np.array([2, 0, 2, 4, 1]))

    cut = np.split(found.pnl_minor, found.day_start[1:])
    assert [tuple(day.tolist()) for day in cut] == [DAYS[day] for day in (2, 0, 2, 4, 1)]
    assert found.day_trades.tolist() == [3, 2, 3, 1, 1]
    assert (found.first_day, found.last_day, found.days) == (history.first_day, history.last_day, history.days)
    assert (found.pnl_minor.dtype, found.day_start.dtype, found.day_trades.dtype) == (np.int32,) * 3


def test_each_history_has_its_own_seed_and_what_it_is_depends_on_nothing_else() -> None:
    plan = plan_of(Settings(seed=7, estimation_risk=EstimationRisk(histories=30, paths=300)))
    together = list(outer_bootstrap.plans(plan, 0, 30))
    alone = [next(outer_bootstrap.plans(plan, number, 1)) for number in range(30)]

    assert len({each.seed for each in together} | {7}) == 31
    assert [each.seed for each in alone] == [each.seed for each in together]
    for a, b in zip(alone, together, strict=True):
        assert np.array_equal(a.history.pnl_minor, b.history.pnl_minor)
    assert {(each.paths, each.block_paths, each.blocks, each.fan_paths) for each in together} == {
        (300, plan.block_paths, 1, 0)
    }
    assert {each.block_length for each in together} == {plan.block_length}


def test_the_block_length_of_days_is_that_of_their_sums() -> None:
    rng = np.random.default_rng(8)
    sums = np.convolve(rng.normal(0, 1_000, 400), np.ones(5), mode="valid").astype(int)
    plan = plan_of(Settings(), days=tuple((int(each), 0) for each in sums))
    assert outer_bootstrap.day_block_length(plan.history) == automatic_block_length(sums.astype(float)) > 3


def test_too_few_days_to_resample_are_refused_and_named() -> None:
    settings = Settings(estimation_risk=EstimationRisk(histories=20, paths=256))
    with pytest.raises(InvalidInput, match=r"settings.estimation_risk: needs a history of at least 5 trading days"):
        plan_of(settings, days=DAYS[:4])


# Histories on which a simulation of its own would be refused.

RISK = EstimationRisk(histories=40, paths=256)
ONE_LOSER = ((10, 5), (20,), (15, -30), (40,), (12,))
FEW_AMOUNTS = ((10,), (20,), (10,), (10,), (10,))


def left_out(plan: Plan, count: int = 40) -> list[bool]:
    return [outer_bootstrap.is_left_out(each) for each in outer_bootstrap.plans(plan, 0, count)]


@pytest.mark.parametrize("stress", [Stress(fewer_winners=0.5), Stress(worst_day=True)])
def test_a_history_without_the_loss_that_a_stress_needs_is_left_out(stress: Stress) -> None:
    plan = plan_of(Settings(seed=3, stress=stress, estimation_risk=RISK), days=ONE_LOSER)
    lossless = [bool((each.history.pnl_minor >= 0).all()) for each in outer_bootstrap.plans(plan, 0, 40)]
    assert left_out(plan) == lossless
    assert 5 < sum(lossless) < 25


@pytest.mark.parametrize(
    ("model", "least", "days"),
    [(Model.NORMAL, 2, FEW_AMOUNTS), (Model.STUDENT_T, 3, ((10,), (-20,), (30,), (10,), (-20,), (30,)))],
)
def test_a_history_of_too_few_amounts_for_a_fit_is_left_out(
    model: Model, least: int, days: tuple[tuple[int, ...], ...]
) -> None:
    plan = plan_of(Settings(seed=3, model=model, estimation_risk=RISK), days=days)
    few = [np.unique(each.history.pnl_minor).size < least for each in outer_bootstrap.plans(plan, 0, 40)]
    assert any(few)
    assert not all(left_out(plan))
    assert all(out for out, sparse in zip(left_out(plan), few, strict=True) if sparse)


def test_amounts_that_stress_makes_too_large_leave_a_history_out() -> None:
    """A mean of its own moves what volatility is about, so that here and there an amount is cut."""
    days = ((2**28, 1), (0,), (-1,), (5,), (-(2**28) + 10,))
    plan = plan_of(
        Settings(seed=3, model=Model.IID, stress=Stress(volatility_factor=1.99), estimation_risk=RISK, horizon_days=1),
        days=days, rules=Rules(starting_balance_minor=100),
    )  # fmt: skip
    assert 0 < sum(left_out(plan)) < 40


def test_a_history_whose_t_has_no_finite_variance_stays_with_the_fit_at_the_bound() -> None:
    pnls = np.rint(9_000 * np.random.default_rng(2).standard_t(2.6, 80)).astype(int).tolist()
    plan = plan_of(Settings(seed=3, model=Model.STUDENT_T, estimation_risk=RISK), days=tuple((each,) for each in pnls))
    fits = [each.source.fit for each in outer_bootstrap.plans(plan, 0, 40)]
    assert 3 < sum(each is not None and each.freedom == HEAVIEST for each in fits) < 37
    assert not any(left_out(plan))


def histories_of(plan: Plan, first: int, count: int, *, threads: int) -> Histories:
    with Launcher(threads) as launcher:
        return sections.run(plan, Section.HISTORIES, first, count, launcher).histories


def test_what_is_left_out_has_no_paths_and_does_not_depend_on_chunks() -> None:
    plan = plan_of(Settings(seed=3, stress=Stress(worst_day=True), estimation_risk=RISK), days=ONE_LOSER)
    whole = histories_of(plan, 0, 40, threads=1)
    parts = [histories_of(plan, first, 8, threads=3) for first in (32, 0, 16, 8, 24)]
    merged = parts[0] | parts[1] | parts[2] | parts[3] | parts[4]

    assert [whole.ends[number] == LEFT_OUT for number in range(40)] == left_out(plan)
    assert {sum(each) for each in whole.ends.values()} == {0, 256}
    assert merged.to_bytes() == whole.to_bytes()
    assert Histories.from_bytes(whole.to_bytes()) == whole
    assert whole.left_out == sum(left_out(plan))


def test_a_history_with_a_balance_beyond_what_is_computed_is_left_out_and_the_job_goes_on() -> None:
    """Only where every day won does a path of 61 days win more than 2^29; the real history has won every second day."""
    days = ((9_000_000,), (-9_000_000,), (9_000_000,), (-9_000_001,), (9_000_001,))
    settings = Settings(
        seed=3, model=Model.IID, horizon_days=61, estimation_risk=EstimationRisk(histories=100, paths=256)
    )
    plan = plan_of(settings, days=days, rules=Rules(starting_balance_minor=100))
    found = histories_of(plan, 0, 100, threads=2)
    all_won = [int(each.history.pnl_minor.min()) > 0 for each in outer_bootstrap.plans(plan, 0, 100)]
    all_lost = [int(each.history.pnl_minor.max()) < 0 for each in outer_bootstrap.plans(plan, 0, 100)]
    assert [found.ends[number] == LEFT_OUT for number in range(100)] == list(map(max, all_won, all_lost))
    assert 1 <= found.left_out < 30


def test_the_interval_is_that_of_the_histories_that_are_left() -> None:
    rng = np.random.default_rng(6)
    kept = histories(rng.beta(2, 8, 60), 500, rng)
    more = kept | Histories(ends=dict.fromkeys(range(60, 90), LEFT_OUT))
    assert interval(more, Outcome.PASSED) == interval(kept, Outcome.PASSED)
    assert (more.left_out, more.tell) == (30, True)
    assert not Histories(ends={**dict.fromkeys(range(19), (1, 2, 3, 4)), 19: LEFT_OUT}).tell
