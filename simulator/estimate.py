"""Estimators over tallies of independent paths, each with its standard error and a 95% confidence interval.

The error is sampling error alone: what more paths would shrink. Where the values bound nothing (one path, or too
few in a tail) the interval reaches to the ends of the figure's `Support`, and the standard error is infinite if
those are: an error that is not known is not zero. Nor is that of a mean of values that are all equal, unless no others
can be: it is what values that were not seen may add.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np

from simulator.histogram import Histogram
from simulator.sums import dot

LEVEL: Final = 0.95
"""Coverage of every confidence interval."""

Z: Final = NormalDist().inv_cdf((1 + LEVEL) / 2)
_TAIL: Final = (1 - LEVEL) / 2
_HALVINGS: Final = 64
_EXACT_VARIANCE: Final = 1_000
"""Below this variance the ranks of a binomial are found exactly, beyond it by the normal approximation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure and its sampling error, all in the unit of the figure."""

    value: float
    std_error: float
    ci_low: float
    ci_high: float

    def divided(self, by: float) -> Estimate:
        """The same figure in a unit that many times as large, e.g. dollars for cents; `by` is positive."""
        return Estimate(
            value=self.value / by, std_error=self.std_error / by, ci_low=self.ci_low / by, ci_high=self.ci_high / by
        )

    def shifted(self, by: float) -> Estimate:
        """The same figure counted from another origin."""
        return Estimate(
            value=self.value + by, std_error=self.std_error, ci_low=self.ci_low + by, ci_high=self.ci_high + by
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """Where the values of a figure can lie, known before any is seen."""

    low: float = -math.inf
    high: float = math.inf


ANYWHERE: Final = Support()

NO_OTHER: Final = Support(low=math.inf, high=-math.inf)
"""Of values that are known to be all equal, whatever they are."""


def probability(successes: int, n: int) -> Estimate:
    """The share p = k/n with Wilson's score interval.

    ci = (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)  (Wilson 1927; Brown, Cai & DasGupta 2001, eq. 4).
    std_error = √(p(1−p)/n); where that is 0 (k = 0 or k = n), the half-width of the interval over z instead, so
    that what was never seen is not called impossible.

    Raises: ValueError if n < 1.
    """
    if n < 1:
        raise ValueError("A probability needs at least one path: simulate some.")
    p, z2 = successes / n, Z * Z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    std_error = math.sqrt(p * (1 - p) / n) if 0 < successes < n else (high - low) / (2 * Z)
    return Estimate(value=p, std_error=std_error, ci_low=low, ci_high=high)


def mean(values: Histogram, support: Support = ANYWHERE, possible: Callable[[], Support] | None = None) -> Estimate:
    """The mean x̄ = Σx/n, exact, with std_error = s/√n and ci = x̄ ± t₀.₉₇₅(n−1) s/√n (Student 1908).

    Where s is 0, the interval is that of `_of_equals`, for values within what is `possible` (None: the support).

    Over paths of a random number (a conditional mean) the same holds to first order in 1/n (ratio estimator,
    Cochran 1977, §2.11). s² = Σ n_b (x̄_b − x̄)² / (n−1) over the bins: it leaves out the spread within a bin, at
    most 2^-11 of the value, a bias that matters only where s itself is no larger.

    Raises: ValueError if there is no value.
    """
    n = _count(values)
    value = values.total / n
    away = values.bin_means - value
    spread = dot(values.counts, away * away)
    if n == 1 or spread == 0:
        return _of_equals(value, n, possible() if possible else support)
    return _clipped(value, math.sqrt(spread / (n - 1) / n), student(n - 1), support)


def mean_of_sums(n: int, total: int, squares: int, possible: Callable[[], Support] = lambda: ANYWHERE) -> Estimate:
    """The mean of n values of which the sum and the sum of squares are known exactly; errors as of `mean`.

    s² = (n Σx² − (Σx)²) / (n (n−1)), in whole numbers, so that nothing cancels. For differences of pairs: the paired
    t interval (Student 1908). `possible` is asked where s is 0.

    Raises: ValueError if there is no value.
    """
    if n < 1:
        raise ValueError("A mean needs at least one path: simulate some.")
    value, spread = total / n, n * squares - total * total
    if n == 1 or spread == 0:
        return _of_equals(value, n, possible())
    return _clipped(value, math.sqrt(Fraction(spread, n * n * (n - 1))), student(n - 1), ANYWHERE)


def paired_difference(gained: int, lost: int, n: int) -> Estimate:
    """The difference of two probabilities seen on the same n paths: (gained − lost) / n, with Tango's score interval.

    gained: paths with the event in the second case alone; lost: in the first alone. The interval holds all differences
    that the score test of McNemar's table does not reject: the ends δ solve
    (gained − lost − nδ) / √(n (2q + δ(1 − δ))) = ±z, q the share of lost paths that is most likely under δ
    (Tango 1998; recommended for matched pairs by Fagerland, Lydersen & Laake 2014).
    std_error = √(gained + lost − (gained − lost)²/n) / n; where that is 0, half the width of the interval over z.

    Raises: ValueError if n < 1.
    """
    if n < 1:
        raise ValueError("A difference needs at least one path: simulate some.")
    value = (gained - lost) / n
    low = _root(lambda delta: _tango(gained, lost, n, delta) - Z, -1.0, value)
    high = _root(lambda delta: _tango(gained, lost, n, delta) + Z, value, 1.0)
    spread = Fraction(n * (gained + lost) - (gained - lost) ** 2, n**3)
    std_error = math.sqrt(spread) if spread else (high - low) / (2 * Z)
    return Estimate(value=value, std_error=std_error, ci_low=low, ci_high=high)


def quantile(values: Histogram, level: float, support: Support = ANYWHERE) -> Estimate:
    """The quantile inf{x: F(x) ≥ p}, i.e. the order statistic X(⌈np⌉), with the distribution-free interval.

    ci = [X(l), X(u)], l the largest rank with P(B < l) ≤ 2.5%, u the smallest with P(B ≥ u) ≤ 2.5%, B binomial(n, p)
    (Thompson 1936; David & Nagaraja 2003, §7.1); where no such rank exists, the end of the support.
    std_error = (ci_high − ci_low) / 2z. An order statistic is the mean of its bin: exact for atoms and |x| < 2048,
    else within 2^-10 of the value; the interval reaches to the ends of its bins, so it allows for that.

    Raises: ValueError if there is no value.
    """
    return quantiles(values, (level,), support)[0]


def quantiles(values: Histogram, levels: Sequence[float], support: Support = ANYWHERE) -> list[Estimate]:
    """`quantile` at each level.

    Raises: ValueError if there is no value.
    """
    n = _count(values)
    ranks = [order_ranks(n, level) for level in levels]
    places = np.array([min(max(rank, 1), n) - 1 for each in ranks for rank in each], dtype=np.int64)
    statistics = iter(values.order_statistics(places))
    found = []
    for (lower, _, upper), (_, lowest, _), (middle, _, _), (_, _, highest) in zip(
        ranks, statistics, statistics, statistics, strict=True
    ):
        low = lowest if lower >= 1 else support.low
        high = highest if upper <= n else support.high
        found.append(Estimate(value=middle, std_error=(high - low) / (2 * Z), ci_low=low, ci_high=high))
    return found


@lru_cache(maxsize=4096)
def order_ranks(n: int, level: float) -> tuple[int, int, int]:
    """The 1-based ranks among n values of a quantile and of the ends of its interval: (lower, quantile, upper).

    Where there is no such end, lower is 0 and upper n + 1.
    """
    share, nearer_end = _written(level)
    lower, upper = _interval_ranks(n, nearer_end)
    if nearer_end < level:  # as many lie below the one as above the other
        lower, upper = n + 1 - upper, n + 1 - lower
    return lower, -(-n * share.numerator // share.denominator), upper


def value_at_risk(pnl: Histogram, confidence: float) -> Estimate:
    """The loss not exceeded with this confidence: the quantile of L = −P&L at that level, negative for a profit.

    Errors as of `quantile` (Jorion 2007, §5.3).
    """
    return quantile(pnl.negated, confidence)


@lru_cache(maxsize=4096)
def student(freedom: float) -> float:
    """The upper 2.5% point of Student's t: closed forms for 1 and 2 degrees of freedom, else the expansion in
    1/freedom of Abramowitz & Stegun 26.7.5 (relative error below 0.2% from 3 on).
    """
    if freedom == 1:
        return math.tan(math.pi * LEVEL / 2)
    if freedom == 2:
        return LEVEL * math.sqrt(2 / (1 - LEVEL**2))
    terms = (
        (Z**3 + Z) / 4,
        (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96,
        (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / 384,
        (79 * Z**9 + 776 * Z**7 + 1482 * Z**5 - 1920 * Z**3 - 945 * Z) / 92160,
    )
    return float(Z + sum(term / freedom**power for power, term in enumerate(terms, start=1)))


def _count(values: Histogram) -> int:
    n = values.count
    if n < 1:
        raise ValueError("No path has this figure: leave it out where the count is 0.")
    return n


def _of_equals(value: float, n: int, possible: Support) -> Estimate:
    """The mean of n values that all are this one, others being possible.

    A share of at most p of the values are others, p Wilson's upper end for 0 of n: the mean lies within p times the way
    to either end. std_error is half the width of that over z, as of a probability that was never seen; of one value
    half the way from end to end, as no standard deviation is larger (Popoviciu 1935).
    """
    share = 1.0 if n == 1 else probability(0, n).ci_high
    below, above = max(value - possible.low, 0.0), max(possible.high - value, 0.0)
    low, high = value - share * below, value + share * above
    return Estimate(value=value, std_error=(high - low) / (2 if n == 1 else 2 * Z), ci_low=low, ci_high=high)


def _clipped(value: float, std_error: float, width: float, support: Support) -> Estimate:
    """value ± width · std_error, kept within the support."""
    half = width * std_error
    low, high = max(value - half, support.low), min(value + half, support.high)
    return Estimate(value=value, std_error=std_error, ci_low=low, ci_high=high)


def _tango(gained: int, lost: int, n: int, delta: float) -> float:
    """Tango's score statistic of the difference δ: falls as δ rises."""
    b = (2 * n - gained + lost) * delta - gained - lost
    c = -lost * delta * (1 - delta)
    root = math.sqrt(max(b * b - 8 * n * c, 0.0))
    q = (root - b) / (4 * n) if b <= 0 else -2 * c / (root + b)
    variance = n * (2 * q + delta * (1 - delta))
    distance = gained - lost - n * delta
    return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance) if distance else 0.0


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function changes its sign, to the last bits of a float; the nearer end if it does not."""
    if falling(low) <= 0:
        return low
    if falling(high) >= 0:
        return high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2


@lru_cache(maxsize=4096)
def _written(level: float) -> tuple[Fraction, float]:
    """The level as it is written, 0.07 being 7/100, which no double is; and its distance from the nearer of 0 and 1.

    Of 100 values the first 0.07 are 7 then, not 7.000000000000001.
    """
    share = Fraction(str(level))
    return share, float(min(share, 1 - share))


@lru_cache(maxsize=4096)
def _interval_ranks(n: int, level: float) -> tuple[int, int]:
    """The 1-based ranks (l, u) of the interval of a quantile; 0 and n + 1 where there is none."""
    centre, variance = n * level, n * level * (1 - level)
    if variance >= _EXACT_VARIANCE:
        half = Z * math.sqrt(variance)
        return math.floor(centre - half), math.ceil(centre + half) + 1
    # The binomial's weights over 12 standard deviations, by the ratio of neighbours; the rest weighs nothing.
    reach = 12 * math.sqrt(variance) + 12
    counts = np.arange(max(0, math.floor(centre - reach)), min(n, math.ceil(centre + reach)) + 1)
    steps = np.log((n - counts[:-1]) / counts[1:] * level / (1 - level))
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    weights = np.exp(logs - logs.max())
    below = np.concatenate([[0.0], np.cumsum(weights)]) / weights.sum()  # P(B < counts[i])
    lower = np.searchsorted(below, _TAIL, side="right") - 1
    upper = np.searchsorted(below, 1 - _TAIL, side="left")
    return int(counts[0] + lower), int(counts[0] + upper)
