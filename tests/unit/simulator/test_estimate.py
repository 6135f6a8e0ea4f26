"""Estimators against closed forms and by hand, and what each says where it knows little."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import estimate
from simulator.estimate import Estimate, Support
from simulator.histogram import Histogram
from simulator.shortfall import expected_shortfall

Figure = Callable[[Histogram, float], Estimate]
UNIT = 10_000
"""Minor units of one standard deviation in the samples."""

NORMAL = {"value_at_risk": 2.326348, "expected_shortfall": 2.665214}
STUDENT_4 = {"value_at_risk": 3.746947, "expected_shortfall": 5.220584}


def of(values: list[int]) -> Histogram:
    return Histogram.of(np.array(values, dtype=np.int64))


def sample(draws: npt.NDArray[np.float64]) -> Histogram:
    return Histogram.of(np.rint(draws * UNIT).astype(np.int64))


# Fixed seeds; false-alarm rate of each comparison within 4 standard errors: 6e-5.
@pytest.mark.parametrize(
    ("gained", "lost", "n", "low", "high"),
    [(1, 7, 21, -0.5172, -0.0260), (7, 1, 21, 0.0260, 0.5172), (0, 0, 1_000, -0.003827, 0.003827)],
)
def test_the_paired_difference_has_the_published_interval(
    gained: int, lost: int, n: int, low: float, high: float
) -> None:
    """Airway hyper-responsiveness before and after transplantation: Fagerland, Lydersen & Laake 2014."""
    found = estimate.paired_difference(gained, lost, n)
    assert (found.ci_low, found.ci_high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    assert found.value == pytest.approx((gained - lost) / n)


@pytest.mark.parametrize(("gained", "lost", "n"), [(0, 5, 5), (3, 0, 10), (2, 2, 4), (10**9, 10**9 + 7, 10**10)])
def test_the_ends_of_a_paired_interval_are_where_the_score_test_turns(gained: int, lost: int, n: int) -> None:
    found = estimate.paired_difference(gained, lost, n)
    assert -1 <= found.ci_low <= found.value <= found.ci_high <= 1
    assert found.std_error > 0
    for end, sign in ((found.ci_low, 1), (found.ci_high, -1)):
        if abs(end) < 1:
            assert estimate._tango(gained, lost, n, end) == pytest.approx(sign * estimate.Z, rel=1e-4)


@given(st.lists(st.integers(-(2**31), 2**31), min_size=2, max_size=50).filter(lambda values: len(set(values)) > 1))
def test_a_mean_of_sums_is_that_of_the_values(values: list[int]) -> None:
    found = estimate.mean_of_sums(len(values), sum(values), sum(each * each for each in values))
    assert found.value == pytest.approx(np.mean(values), rel=1e-12, abs=1e-6)
    assert found.std_error == pytest.approx(np.std(values, ddof=1) / np.sqrt(len(values)), rel=1e-6, abs=1e-6)
    assert found.ci_low <= found.value <= found.ci_high


def test_a_mean_of_one_value_has_an_open_error() -> None:
    found = estimate.mean_of_sums(1, 5, 25)
    assert (found.value, found.std_error, found.ci_low, found.ci_high) == (5, np.inf, -np.inf, np.inf)


@pytest.mark.parametrize("figure", [estimate.value_at_risk, expected_shortfall])
def test_tail_risk_of_a_normal_agrees_with_its_closed_form(figure: Figure) -> None:
    pnl = sample(np.random.default_rng(7).standard_normal(1_000_000))
    found = figure(pnl, 0.99)
    assert abs(found.value / UNIT - NORMAL[figure.__name__]) < 4 * found.std_error / UNIT


@pytest.mark.parametrize("figure", [estimate.value_at_risk, expected_shortfall])
def test_tail_risk_of_heavy_tails_agrees_with_its_closed_form(figure: Figure) -> None:
    pnl = sample(np.random.default_rng(8).standard_t(4, 1_000_000))
    found = figure(pnl, 0.99)
    assert abs(found.value / UNIT - STUDENT_4[figure.__name__]) < 4 * found.std_error / UNIT


def test_standard_errors_of_normal_tail_risk_are_the_asymptotic_ones() -> None:
    """On average over 50 samples; the bins widen the one of value at risk by up to 3%."""
    n, z = 20_000, NORMAL["value_at_risk"]
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    at_risk = math.sqrt(0.01 * 0.99 / n) / density
    # Var(max(Z − z, 0)) = (1 + z²)(1 − α) − zφ(z) − (φ(z) − z(1 − α))²
    variance = (1 + z * z) * 0.01 - z * density - (density - z * 0.01) ** 2
    shortfall = math.sqrt(variance / n) / 0.01
    rng = np.random.default_rng(9)
    samples = [sample(rng.standard_normal(n)) for _ in range(50)]
    found = np.array(
        [(estimate.value_at_risk(pnl, 0.99).std_error, expected_shortfall(pnl, 0.99).std_error) for pnl in samples]
    )
    assert (found.mean(axis=0) / UNIT).tolist() == pytest.approx([at_risk, shortfall], rel=0.05)


def test_wilson_interval_is_the_published_one() -> None:
    found = estimate.probability(8, 20)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.2188, 0.6134), abs=5e-5)
    assert found.std_error == pytest.approx(math.sqrt(0.4 * 0.6 / 20))


def test_what_was_never_seen_is_not_called_impossible() -> None:
    never, always = estimate.probability(0, 1_000), estimate.probability(1_000, 1_000)
    bound = estimate.Z**2 / (1_000 + estimate.Z**2)
    error = bound / (2 * estimate.Z)
    assert (never.value, never.ci_low) == (0, 0)
    assert (never.ci_high, never.std_error) == pytest.approx((bound, error))
    assert (always.value, always.ci_high) == (1, 1)
    assert (always.ci_low, always.std_error) == pytest.approx((1 - bound, error))


@given(st.integers(1, 10**10).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_probability_lies_in_its_interval_between_0_and_1(counts: tuple[int, int]) -> None:
    found = estimate.probability(*counts)
    assert 0 <= found.ci_low <= found.value <= found.ci_high <= 1
    assert found.std_error > 0


def test_mean_of_a_few_values_has_students_interval() -> None:
    found = estimate.mean(of([1, 2, 3, 4, 5]))
    assert (found.value, found.std_error) == pytest.approx((3, math.sqrt(0.5)))
    assert found.ci_high - found.value == pytest.approx(2.776445 * math.sqrt(0.5), rel=2e-3)


@pytest.mark.parametrize(("freedom", "point"), [(1, 12.706205), (2, 4.302653), (3, 3.182446), (10, 2.228139)])
def test_students_point_is_within_two_thousandths_of_the_table(freedom: int, point: float) -> None:
    assert estimate.student(freedom) == pytest.approx(point, rel=2e-3)


def test_quantile_ranks_are_the_binomials() -> None:
    # n = 100, median: P(B < 40) = 0.0176, P(B < 41) = 0.0284, P(B ≥ 61) = 0.0176.
    found = estimate.quantile(of(list(range(1, 101))), 0.5)
    assert (found.ci_low, found.value, found.ci_high) == (40, 50, 61)


def test_quantile_level_times_count_is_rounded_exactly() -> None:
    assert estimate.quantile(of(list(range(1, 101))), 0.07).value == 7
    assert estimate.quantile(of(list(range(1, 101))), 0.071).value == 8


@pytest.mark.parametrize("sign", [1, -1])
def test_an_interval_allows_for_the_width_of_the_bins(sign: int) -> None:
    spread = Histogram.of(np.arange(300_000, 300_200, dtype=np.int64).repeat(500) * sign)
    found = estimate.quantile(spread, 0.5)
    assert found.ci_low <= sign * 300_099.5 <= found.ci_high
    assert 0 < found.ci_high - found.ci_low <= 2 * 300_000 / 1024


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=80), st.sampled_from([0.05, 0.5, 0.95]))
def test_the_order_statistics_of_an_interval_lie_within_it(values: list[int], level: float) -> None:
    exact = np.sort(values)
    lower, upper = estimate._interval_ranks(len(values), level)
    histogram, found = of(values), estimate.quantile(of(values), level)
    if histogram.count == len(set(values)) == histogram.keys.size:
        assert found.ci_low <= exact[max(lower, 1) - 1]
        assert found.ci_high >= exact[min(upper, len(values)) - 1]
    assert found.ci_low <= found.value <= found.ci_high


@given(st.lists(st.integers(-2000, 2000), min_size=1, max_size=80), st.sampled_from([0.01, 0.25, 0.5, 0.95, 0.99]))
def test_quantiles_of_small_values_are_numpys_inverted_cdf(values: list[int], level: float) -> None:
    found = estimate.quantile(of(values), level)
    assert found.value == np.quantile(values, level, method="inverted_cdf")
    assert found.ci_low <= found.value <= found.ci_high


def test_ranks_agree_where_the_exact_binomial_hands_over_to_the_normal() -> None:
    n = 4 * estimate._EXACT_VARIANCE
    exact, normal = estimate._interval_ranks(n - 2, 0.5), estimate._interval_ranks(n, 0.5)
    assert np.abs(np.array(normal) - np.array(exact) - 1).max() <= 1


def test_expected_shortfall_averages_the_worst_cases_and_a_part_of_the_next() -> None:
    pnl = of([-100, -60, -30, *range(47)])
    assert estimate.value_at_risk(pnl, 0.95).value == 30
    # The worst 2.5 of 50: 100, 60 and half of 30.
    assert expected_shortfall(pnl, 0.95).value == pytest.approx((100 + 60 + 30 / 2) / 2.5)


def test_expected_shortfall_with_an_atom_at_the_floor_is_the_floor() -> None:
    pnl = of([-200_000] * 300 + [100_000] * 700)
    at_risk, shortfall = estimate.value_at_risk(pnl, 0.95), expected_shortfall(pnl, 0.95)
    assert (at_risk.value, at_risk.std_error) == (200_000, 0)
    assert (shortfall.value, shortfall.std_error) == (200_000, 0)


def test_the_interval_of_a_shortfall_has_equal_arms_for_the_logarithm_of_the_excess() -> None:
    """The worst ten of 1,000 lose up to 36 more than all others; t has 4 degrees of freedom or more, and at most 9."""
    excess = [1, 1, 2, 3, 4, 6, 9, 14, 22, 36]
    pnl = of([-200 - each for each in excess] + [-200] * 990)
    found = expected_shortfall(pnl, 0.99)
    assert (found.value, estimate.value_at_risk(pnl, 0.99).value) == (pytest.approx(209.8), 200)
    arm = math.log((found.ci_high - 200) / 9.8)
    beyond = np.array(excess + [0] * 990)
    error = beyond.std(ddof=1) / math.sqrt(1_000) / 0.01
    away = beyond - beyond.mean()
    freedom = 2_000 / ((away**4).mean() / (away**2).mean() ** 2 - 1)
    assert 4 < freedom < 9
    assert (found.std_error, arm) == pytest.approx((error, estimate.student(freedom) * error / 9.8))
    assert found.ci_low == pytest.approx(200 + 9.8 * math.exp(-arm))


def test_losses_that_are_all_alike_leave_the_doubt_how_many_there_are() -> None:
    """12 of 1,000 at the floor; the interval of the value at risk begins with the 18th from the end."""
    pnl = of([-1_000] * 12 + [-400] * 988)
    assert estimate.order_ranks(1_000, 0.99)[0] == 1_000 - 17
    found = expected_shortfall(pnl, 0.99)
    assert (found.value, found.ci_high) == (1_000, 1_000)
    assert found.ci_low == pytest.approx((12 * 1_000 + 6 * 400) / 18)
    assert found.std_error == pytest.approx((found.ci_high - found.ci_low) / (2 * estimate.Z))


@pytest.mark.parametrize(("n", "bounded"), [(299, False), (300, True)])
def test_a_shortfall_of_fewer_than_three_losses_is_not_bounded(n: int, bounded: bool) -> None:
    found = expected_shortfall(of([-(each**3) for each in range(n)]), 0.99)
    assert math.isfinite(found.std_error) is bounded
    assert math.isfinite(found.ci_low) is math.isfinite(found.ci_high) is bounded


def test_a_shortfall_where_half_of_the_losses_are_at_each_of_two_values() -> None:
    """The kurtosis is 1, and the variance as good as known."""
    found = expected_shortfall(of([-300] * 50 + [-100] * 50), 0.5)
    assert found.ci_low < found.value == 300 < found.ci_high < 400


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=60, max_size=300), st.sampled_from([0.9, 0.95, 0.99]))
def test_a_shortfall_lies_in_its_interval(values: list[int], confidence: float) -> None:
    found = expected_shortfall(of(values), confidence)
    assert found.ci_low <= found.value <= found.ci_high
    assert found.std_error >= 0


def test_tail_risk_of_a_sure_profit_is_negative() -> None:
    assert estimate.value_at_risk(of([50, 60, 70] * 100), 0.95).value == -50


def test_a_quantile_of_equal_values_has_no_error() -> None:
    found = estimate.quantile(of([123_457] * 1_000), 0.5)
    assert (found.value, found.std_error, found.ci_low, found.ci_high) == (123_457, 0, 123_457, 123_457)


@pytest.mark.parametrize("n", [2, 1_000, 10**6])
def test_a_mean_of_equal_values_allows_for_others_that_were_not_seen(n: int) -> None:
    equal, within = Histogram.of_counts(np.array([n]), 4), Support(low=1, high=24)
    share = estimate.probability(0, n).ci_high
    for found in (estimate.mean(equal, within), estimate.mean_of_sums(n, 4 * n, 16 * n, lambda: within)):
        assert found.value == 4
        assert (found.ci_low, found.ci_high) == pytest.approx((4 - 3 * share, 4 + 20 * share))
        assert found.std_error == pytest.approx(23 * share / (2 * estimate.Z))


def test_a_mean_of_equal_values_is_open_where_others_have_no_bound_and_exact_where_there_are_none() -> None:
    equal = of([123_457] * 1_000)
    above = estimate.mean(equal, Support(low=123_457))
    assert (above.std_error, above.ci_low, above.ci_high) == (math.inf, 123_457, math.inf)
    known = Estimate(value=123_457, std_error=0, ci_low=123_457, ci_high=123_457)
    assert estimate.mean(equal, possible=lambda: estimate.NO_OTHER) == known
    assert estimate.mean(of([123_457]), possible=lambda: estimate.NO_OTHER) == known


@pytest.mark.parametrize(("n", "share"), [(5_000, 1.85e-4), (2, 1 / 3), (1_000, 1e-3), (20_000, 2e-5)])
def test_a_mean_of_what_is_rarely_seen_is_held_wherever_it_was_not_seen(n: int, share: float) -> None:
    """A figure between 0 and 60 that is 1 with this probability, else 0: what n zeros leave open holds its mean."""
    zeros = (1 - share) ** n
    assert zeros > 0.3
    found = estimate.mean(Histogram.of_counts(np.array([n])), Support(low=0, high=60))
    assert found.ci_low == 0 < share < found.ci_high


def test_one_value_tells_nothing_of_its_error() -> None:
    one = of([42])
    for found in (estimate.mean(one), estimate.quantile(one, 0.5), expected_shortfall(one, 0.99)):
        assert abs(found.value) == 42
        assert (found.std_error, found.ci_low, found.ci_high) == (math.inf, -math.inf, math.inf)


def test_too_few_values_do_not_bound_a_far_quantile() -> None:
    found = estimate.quantile(of(list(range(100))), 0.99)
    assert (found.std_error, found.ci_high) == (math.inf, math.inf)
    assert found.ci_low == 96


def test_one_value_of_a_bounded_figure_is_known_to_its_bounds() -> None:
    found = estimate.mean(of([7]), Support(low=1, high=61))
    assert (found.value, found.std_error, found.ci_low, found.ci_high) == (7, 30, 1, 61)
    assert estimate.quantile(of([7, 8]), 0.99, Support(low=1, high=61)).ci_high == 61


def test_intervals_stay_within_the_support() -> None:
    assert estimate.mean(of([0, 0, 0, 9]), Support(low=0)).ci_low == 0


@pytest.mark.parametrize(
    "estimator", [estimate.mean, lambda h: estimate.quantile(h, 0.5), lambda h: expected_shortfall(h, 0.95)]
)
def test_no_values_are_refused(estimator: object) -> None:
    assert callable(estimator)
    with pytest.raises(ValueError, match="No path has this figure"):
        estimator(Histogram.empty())


def test_no_paths_are_refused() -> None:
    with pytest.raises(ValueError, match="simulate some"):
        estimate.probability(0, 0)


def test_a_unit_divides_everything_and_an_origin_moves_all_but_the_error() -> None:
    cents = estimate.mean(of([100, 300]))
    dollars = cents.divided(100)
    assert (dollars.value, dollars.std_error, dollars.ci_high) == (2, cents.std_error / 100, cents.ci_high / 100)
    moved = cents.shifted(1_000)
    assert (moved.value, moved.std_error, moved.ci_low) == (1_200, cents.std_error, cents.ci_low + 1_000)
