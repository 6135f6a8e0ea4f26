"""The expected shortfall, with an interval that holds for heavy tails and few paths, and for losses that are all alike.

Of n losses about m = n(1−α) decide it, and their mean excess over the value at risk is skewed to the right: an interval
of equal arms about it lies too low. Three things set that right.

- The arms are equal for the logarithm of the excess, which is nearly symmetric (delta method; that a transformation
  takes the skewness off: Hall 1992).
- Student's t has as many degrees of freedom as the variance is known with, 2n/(κ − 1), κ the kurtosis of
  max(L − VaR, 0): large losses that are few say little of their own spread (Satterthwaite 1946; O'Neill 2014).
- The lower end is at most the mean of the worst losses where the tail holds as many as it well may. Where losses are
  alike, as at a floor, none exceeds the value at risk, and how many there are is all the doubt that is left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.estimate import Estimate, Z, order_ranks, quantile, student
from simulator.histogram import Histogram
from simulator.sums import dot

FEWEST_IN_TAIL: Final = 3
"""Of fewer losses in the tail the largest bounds nothing."""

LEAST_FREEDOM: Final = 4
"""Degrees of freedom: of one loss that outweighs all others no kurtosis can be told."""


def expected_shortfall(pnl: Histogram, confidence: float) -> Estimate:
    """The mean loss in the worst 1−α of cases: ES = VaR + Σ max(L − VaR, 0) / (n(1−α)), L = −P&L.

    Formula: Rockafellar & Uryasev 2002, eq. 25, equal to Acerbi & Tasche 2002, def. 2.6, also where L has atoms.
    std_error s = sd(max(L − VaR, 0)) / ((1−α) √n), from the influence function; that VaR is itself estimated adds
    nothing to first order (Trindade, Uryasev, Shapiro & Zrazhevsky 2007; Hong, Hu & Liu 2014, thm. 2). Where that is 0,
    half the width of the interval over z.
    ci = VaR + E e^(±t₀.₉₇₅(ν) s/E), E = ES − VaR, with ν = 2n/(κ − 1), at least 4 and at most m − 1, m = ⌊n(1−α)⌋; the
    lower end as the module says. For m < 3 it is not bounded.

    Raises: ValueError if there is no value.
    """
    losses = pnl.negated
    at_risk, n = quantile(losses, confidence).value, losses.count
    share = 1 - Fraction(str(confidence))
    tail, in_tail = float(share), math.floor(n * share)
    beyond = _Beyond.over(losses, at_risk)
    excess = beyond.mean / tail
    value = at_risk + excess
    if in_tail < FEWEST_IN_TAIL:
        return Estimate(value=value, std_error=math.inf, ci_low=-math.inf, ci_high=math.inf)
    squares, fourths = beyond.spreads
    std_error = math.sqrt(squares / (n - 1) / n) / tail
    most = in_tail - 1
    freedom = 2 / max(fourths / squares**2 - 1 / n, 2 / most) if squares else most
    width = student(min(max(freedom, LEAST_FREEDOM), most)) * std_error
    stretch = math.exp(width / excess) if excess else 1.0
    most_in_tail = n + 1 - max(order_ranks(n, confidence)[0], 1)
    low = min(at_risk + excess / stretch, _mean_of_largest(losses, most_in_tail))
    high = at_risk + excess * stretch
    return Estimate(value=value, std_error=std_error or (high - low) / (2 * Z), ci_low=low, ci_high=high)


@dataclass(frozen=True, slots=True)
class _Beyond:
    """max(L − a, 0) over n losses: `beyond` in bins of so many `counts`, and 0 for all others."""

    n: int
    counts: npt.NDArray[np.int64]
    beyond: npt.NDArray[np.float64]
    mean: float

    @staticmethod
    def over(losses: Histogram, a: float) -> _Beyond:
        first = int(np.searchsorted(losses.bin_means, a))
        counts, beyond = losses.counts[first:], losses.bin_means[first:] - a
        return _Beyond(losses.count, counts, beyond, dot(counts, beyond) / losses.count)

    @property
    def spreads(self) -> tuple[float, float]:
        """The sums of the squares, and of the fourth powers, of the distances from the mean."""
        at_zero = self.n - int(self.counts.sum())
        squares, square = (self.beyond - self.mean) ** 2, self.mean**2
        return (
            dot(self.counts, squares) + at_zero * square,
            dot(self.counts, squares * squares) + at_zero * square * square,
        )


def _mean_of_largest(losses: Histogram, count: int) -> float:
    """The mean of so many of the largest losses."""
    least = float(losses.at_ranks(np.array([losses.count - count]))[0])
    return least + _Beyond.over(losses, least).mean * losses.count / count
