"""The automatic block length against an independent implementation and on degenerate series."""

from __future__ import annotations

from math import floor

import numpy as np
import pytest
from arch.bootstrap import optimal_block_length

from simulator.block_length import automatic_block_length, automatic_circular_length


def autoregression(rho: float, n: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(n + 100)
    series = np.empty(n + 100)
    series[0] = noise[0]
    for at in range(1, series.size):
        series[at] = rho * series[at - 1] + noise[at]
    return series[100:]


@pytest.mark.parametrize("n", [30, 61, 250, 1_000, 5_000])
@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.3, 0.9])
def test_block_lengths_agree_with_arch(n: int, rho: float) -> None:
    series = autoregression(rho, n, seed=n)
    stationary, circular = (float(optimal_block_length(series)[kind].iloc[0]) for kind in ("stationary", "circular"))
    assert automatic_block_length(series) == pytest.approx(max(1.0, stationary), rel=1e-9)
    assert automatic_circular_length(series) == max(1, floor(circular + 0.5))


def test_block_length_of_the_published_example() -> None:
    """The AR(.3) series of arch's own test, whose block length is 13.635665."""
    series = np.random.RandomState(0).standard_normal(10_000 + 100)
    for at in range(1, series.size):
        series[at] += 0.3 * series[at - 1]
    assert automatic_block_length(series[100:]) == pytest.approx(13.635665, rel=1e-6)


@pytest.mark.parametrize(
    "series", [[], [5.0], [1.0, -2.0, 3.0], [0.0] * 50, [7.5] * 50], ids=["none", "one", "three", "zeros", "constant"]
)
def test_degenerate_series_have_blocks_of_one_trade(series: list[float]) -> None:
    assert automatic_block_length(np.array(series)) == 1.0
    assert automatic_circular_length(np.array(series)) == 1.0


@pytest.mark.parametrize("n", [8, 9, 10, 12, 20])
def test_short_series_have_a_usable_block_length(n: int) -> None:
    series = autoregression(0.5, n, seed=n)
    assert 1.0 <= automatic_block_length(series) <= n
    assert 1.0 <= automatic_circular_length(series) <= n
