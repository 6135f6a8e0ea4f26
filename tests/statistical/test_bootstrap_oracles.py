"""The resampling models against the exact variance of a bootstrap mean (Politis & Romano 1992, 1994).

False alarms: seeds are fixed, and each of the 12 figures fails a right engine with probability 6.8e-6: any of them with
less than 1e-4.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from simulator.block_length import CIRCULAR_VARIANCE, STATIONARY_VARIANCE, automatic_circular_length, optimal_length
from simulator.spec import Model, Settings
from tests.statistical import closed_forms as known
from tests.statistical.simulation import ALLOWED_ERRORS, NO_RULES, assert_figure, simulated

TRADES = (1.0, -2.0, 3.0, -1.0, 0.5, 2.5, -1.5, 0.0)
SCALE = 10
"""Minor units of 1: sums stay below 2,048, where bins are single numbers."""

PATHS = 1 << 16
HISTORY = [(round(SCALE * each),) for each in TRADES]


@pytest.mark.parametrize(
    ("model", "block_length", "variance"),
    [
        (Model.IID, None, 0.35888672),
        (Model.STATIONARY, 2.0, 0.17670345),
        pytest.param(Model.STATIONARY, 1.0, 0.35888672, marks=pytest.mark.slow),
        pytest.param(Model.STATIONARY, 5.0, known.variance_of_stationary_mean(TRADES, 0.2), marks=pytest.mark.slow),
        (Model.CIRCULAR, 4.0, 0.11914063),
        pytest.param(Model.CIRCULAR, 2.0, known.variance_of_circular_mean(TRADES, 2), marks=pytest.mark.slow),
    ],
)
def test_the_bootstrap_mean_has_its_exact_variance(model: Model, block_length: float | None, variance: float) -> None:
    """As many trades as the history has; standard error of a variance: sqrt((m4 - m2^2) / n)."""
    settings = Settings(model=model, block_length=block_length, trades_per_day=len(TRADES))
    found, tally = simulated(HISTORY, NO_RULES, days=1, paths=PATHS, seed=31, settings=settings)
    sums = np.repeat(tally.final_pnl.keys, tally.final_pnl.counts) / SCALE
    means = sums / len(TRADES) - np.mean(TRADES)
    second, fourth = float((means**2).mean()), float((means**4).mean())
    assert abs(second - variance) < ALLOWED_ERRORS * sqrt((fourth - second**2) / PATHS)
    assert_figure(found.final_pnl.mean, sum(TRADES) * SCALE / 100)


@pytest.mark.slow
def test_whole_days_keep_what_happens_within_a_day() -> None:
    """Days of 2 and 6 trades: the mean and variance of a day's sum, 4 days of them."""
    days = [HISTORY[0] + HISTORY[1], tuple(pnl for day in HISTORY[2:] for pnl in day)]
    found, tally = simulated(days, NO_RULES, days=4, paths=PATHS, seed=32, settings=Settings(model=Model.DAY))
    first, second = (sum(day) for day in days)
    sums = np.repeat(tally.final_pnl.keys, tally.final_pnl.counts)
    for seconds in range(5):
        count = int((sums == first * (4 - seconds) + second * seconds).sum())
        share = (1, 4, 6, 4, 1)[seconds] / 16
        assert abs(count / PATHS - share) < ALLOWED_ERRORS * sqrt(share * (1 - share) / PATHS)
    assert_figure(found.trades_to_end.mean, 4 * 4)


def test_the_automatic_block_lengths_of_the_published_series() -> None:
    """The AR(.3) series of arch's own test: 13.635665 and 15.60894."""
    series = np.random.RandomState(0).standard_normal(10_000 + 100)
    for at in range(1, series.size):
        series[at] += 0.3 * series[at - 1]
    assert optimal_length(series[100:], STATIONARY_VARIANCE) == pytest.approx(13.635665, rel=1e-6)
    assert optimal_length(series[100:], CIRCULAR_VARIANCE) == pytest.approx(15.60894, rel=1e-6)
    assert automatic_circular_length(series[100:]) == 16
