"""What the bootstraps draw against the package `arch`: mean and variance of the resampled mean of a dependent series.

Seeds are fixed. Each figure differs from arch's, whose errors are as large, by at most 4.5 standard errors of the
difference: a right engine fails one with probability 6.8e-6, any of the six with less than 5e-5.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt
import pytest
from arch.bootstrap import CircularBlockBootstrap, IIDBootstrap, StationaryBootstrap

from simulator.spec import Model, Settings
from tests.unit.simulator.draws import drawn, planned

ALLOWED_ERRORS = 4.5
PATHS = 8_192
TRADES = 60
BLOCK = 6


def series() -> npt.NDArray[np.int64]:
    """An autoregression of 60 trades, in minor units."""
    noise = np.random.default_rng(2).standard_normal(TRADES + 50)
    for at in range(1, noise.size):
        noise[at] += 0.6 * noise[at - 1]
    return np.rint(1_000 * noise[50:]).astype(np.int64)


def variance_with_error(means: npt.NDArray[np.float64]) -> tuple[float, float]:
    second, fourth = ((means - means.mean()) ** 2).mean(), ((means - means.mean()) ** 4).mean()
    return float(second), sqrt((fourth - second**2) / means.size)


@pytest.mark.parametrize(
    ("model", "theirs"),
    [
        (Model.IID, IIDBootstrap(series(), seed=np.random.RandomState(1))),
        (Model.STATIONARY, StationaryBootstrap(BLOCK, series(), seed=np.random.RandomState(2))),
        (Model.CIRCULAR, CircularBlockBootstrap(BLOCK, series(), seed=np.random.RandomState(3))),
    ],
    ids=["iid", "stationary", "circular"],
)
def test_resampled_means_have_the_mean_and_variance_that_arch_finds(model: Model, theirs: IIDBootstrap) -> None:
    block = None if model is Model.IID else float(BLOCK)
    settings = Settings(model=model, block_length=block, trades_per_day=1, seed=41)
    ours = drawn(planned([[int(each)] for each in series()], settings), PATHS, TRADES).pnl.mean(axis=0)
    others = theirs.apply(np.mean, PATHS).ravel()
    (variance, error), (other, other_error) = variance_with_error(ours), variance_with_error(others)
    assert abs(variance - other) < ALLOWED_ERRORS * sqrt(error**2 + other_error**2)
    assert abs(ours.mean() - others.mean()) < ALLOWED_ERRORS * sqrt((variance + other) / PATHS)
