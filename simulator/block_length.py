"""The automatic block length of the stationary and the circular bootstrap: how long dependence between trades lasts.

Politis & White (2004), "Automatic block-length selection for the dependent bootstrap", with the correction of Patton,
Politis & White (2009). Names follow the papers: K_n lags in a row must be noise before dependence counts as over,
the flat-top window reaches twice as far as the dependence, g is the weighted sum of |lag| x autocovariance.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.sums import dot

FEWEST: Final = 8
"""Below this many observations no lag can be judged: trades are then drawn one by one."""

STATIONARY_VARIANCE: Final = 2.0
"""D of the paper over the squared spectrum at 0: what the variance of the estimate grows by, for each block length."""
CIRCULAR_VARIANCE: Final = 4 / 3

Series = npt.NDArray[np.float64]


def automatic_block_length(series: Series) -> float:
    """Mean block length of the stationary bootstrap in observations, at least 1.

    It is 1 for a series too short or too constant to judge.
    """
    return optimal_length(series, STATIONARY_VARIANCE)


def automatic_circular_length(series: Series) -> float:
    """Block length of the circular bootstrap, a whole number of observations, at least 1."""
    return float(math.floor(optimal_length(series, CIRCULAR_VARIANCE) + 0.5))


def optimal_length(series: Series, variance: float) -> float:
    """The length that minimises the mean squared error of the bootstrap's variance of the mean."""
    n = series.size
    if n < FEWEST or not np.ptp(series) > 0:
        return 1.0
    run = max(5, int(math.log10(n)))
    longest = min(math.ceil(math.sqrt(n)) + run, n - 2)
    covariance, correlation = _correlogram(series - series.mean(), longest)
    lag = first_lag_of_noise(correlation, n, run)
    window = longest if lag is None else min(2 * max(lag, 1), longest)
    return _optimal(covariance, window, n, variance)


def first_lag_of_noise(correlation: Series, n: int, run: int) -> int | None:
    """The first of `run` lags in a row, below the last, whose correlation is under 2 sqrt(log10(n) / n)."""
    noise = np.abs(correlation) < 2 * math.sqrt(math.log10(n) / n)
    starts = (lag for lag in range(noise.size - run) if noise[lag : lag + run].all())
    return next(starts, None)


def _optimal(covariance: Series, window: int, n: int, variance: float) -> float:
    lags = np.arange(1, window + 1)
    flat_top = np.minimum(1.0, 2 * (1 - lags / window))
    weighted = 2 * flat_top * covariance[1 : window + 1]
    g, spectrum = dot(weighted, lags), float(covariance[0] + weighted.sum())
    if spectrum == 0:
        return 1.0
    length = math.cbrt(2 * g * g / (variance * spectrum**2) * n)
    longest = math.ceil(min(3 * math.sqrt(n), n / 3))
    return max(1.0, min(length, float(longest)))


def _correlogram(centred: Series, longest: int) -> tuple[Series, Series]:
    """Autocovariances and correlations at lags 0 to `longest`; correlations by the spread of the stretches compared."""
    n = centred.size
    products = np.array([dot(centred[lag:], centred[: n - lag]) for lag in range(longest + 1)])
    squares = centred * centred
    ahead = np.array([squares[lag + 1 :].sum() for lag in range(longest + 1)])
    behind = np.array([squares[: n - lag - 1].sum() for lag in range(longest + 1)])
    scale = np.sqrt(ahead * behind)
    return products / n, np.divide(products, scale, out=np.ones_like(products), where=scale > 0)
