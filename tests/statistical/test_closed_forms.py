"""The closed forms against the values that are published or were found by other means."""

from __future__ import annotations

from itertools import product
from math import exp, sqrt

import pytest
from scipy import stats

from tests.statistical import closed_forms as known

TRADES = (1.0, -2.0, 3.0, -1.0, 0.5, 2.5, -1.5, 0.0)


@pytest.mark.parametrize(
    ("found", "value"),
    [
        (known.ruin(0.45, 90, 100), 0.8655694),
        (known.ruin(0.5, 50, 80), 0.375),
        (known.ruin(0.55, 50, 10_000), 4.39026984e-5),
        (known.straight_losses(6, 100), 0.5460936),
        (known.brownian_fall_at_most(1.0), 0.3707774),
        (known.brownian_fall_at_most(1.148973), 0.5),
        (known.brownian_fall_at_most(2.241403), 0.95),
        (known.brownian_touch(10, 0.05, 100), 0.1803118),
        (known.normal_walk(-10, 80, 0.05, 100)[0], 0.1599747),
        (known.brownian_rise_first(10, 10, 0.05), 0.7310586),
        (known.variance_of_stationary_mean(TRADES, 1), 0.35888672),
        (known.variance_of_stationary_mean(TRADES, 0.5), 0.17670345),
        (known.variance_of_circular_mean(TRADES, 4), 0.11914063),
        (known.normal_shortfall(0.99), 2.665214),
        (known.normal_shortfall(0.975), 2.337803),
        (known.student_shortfall(0.99, 4), 5.220584),
    ],
)
def test_known_values(found: float, value: float) -> None:
    assert found == pytest.approx(value, rel=1e-6)


def test_new_peaks_tend_to_the_law_of_brownian_motion() -> None:
    """e^(-a/L) with a = 3,000 and L = 2,000 (Taylor 1975, Lehoczky 1977); the walk's excess is a / 2 d^2 of it."""
    for allowance in (100, 1_000, 10_000):
        excess = known.new_peaks(allowance, allowance * 3 // 2) / exp(-1.5) - 1
        assert excess == pytest.approx(0.75 / allowance, rel=0.02)


@pytest.mark.parametrize("steps", [1, 6, 11])
def test_falls_and_straight_losses_of_few_steps_are_those_of_all_walks(steps: int) -> None:
    falls, straight = [], []
    for walk in product((1, -1), repeat=steps):
        place = peak = largest = run = longest = 0
        for step in walk:
            place, run = place + step, 0 if step > 0 else run + 1
            peak, longest = max(peak, place), max(longest, run)
            largest = max(largest, peak - place)
        falls.append(largest)
        straight.append(longest)
    for size in (1, 2, 3, 5):
        assert known.largest_fall_below(size, steps) == sum(fall < size for fall in falls) / 2**steps
        assert known.straight_losses(size, steps) == sum(run >= size for run in straight) / 2**steps


def test_ruin_within_few_trades_is_that_of_all_futures() -> None:
    history, room, trades = (-3, -1, -1, 2, 5), 4, 5
    futures = list(product(history, repeat=trades))
    ruined = sum(any(sum(future[:end]) <= -room for end in range(1, trades + 1)) for future in futures)
    assert known.ruin_within(history, room, trades) == pytest.approx(ruined / len(futures))


def test_ruin_within_many_trades_tends_to_ruin() -> None:
    assert known.ruin_within([1] * 11 + [-1] * 9, 50, 3_000) == pytest.approx(4.39026984e-5, rel=1e-6)


def test_largest_falls_tend_to_the_law_of_brownian_motion() -> None:
    """A fall of less than k in n steps is one of at most (k + 1/2) / sqrt(n): Lévy's theorem for the walk."""
    for size in (100, 115, 225):
        limit = known.brownian_fall_at_most((size + 0.5) / sqrt(10_100))
        assert known.largest_fall_below(size, 10_100) == pytest.approx(limit, abs=5e-5)


def test_normal_walks_tend_to_brownian_motion_with_shifted_barriers() -> None:
    """Broadie, Glasserman & Kou 1997: each barrier is 0.5826 standard deviations of a step further away."""
    touched = known.brownian_touch(10 + known.BGK, 0.05, 100)
    assert known.normal_walk(-10, 80, 0.05, 100)[0] == pytest.approx(touched, abs=5e-4)
    rise = known.brownian_rise_first(10 + known.BGK, 10 + known.BGK, 0.05)
    assert known.normal_walk(-10, 10, 0.05, 3_000)[1] == pytest.approx(rise, abs=5e-5)


def test_a_normal_walk_of_two_steps_is_a_double_integral() -> None:
    fallen, risen = known.normal_walk(-1.0, 60.0, 0.0, 2)
    both_above = stats.multivariate_normal([0, 0], [[1, 1], [1, 2]]).cdf([1.0, 1.0])
    assert fallen == pytest.approx(1 - both_above, abs=1e-6)
    assert risen == pytest.approx(0, abs=1e-12)
