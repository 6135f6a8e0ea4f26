"""The amounts of the fitted distributions, read off their table one word at a time, in plain integers.

Written from the docstring of `simulator.quantiles`. The quantile functions are those of the standard library and of
scipy; the parameters are the fit's, which has tests of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from math import ceil
from statistics import NormalDist

from scipy.special import stdtrit

from simulator.fit import Fit
from simulator.spec import REACH, Stress
from tests.reference.stress import millionths

CELLS = 2_048
FINEST = 30


class Table:
    """A fit under stress. `digits`: nodes are kept in 2^-digits minor units, as many as leave the largest 30 bits."""

    def __init__(self, fit: Fit, stress: Stress, mean: float) -> None:
        """`mean` is that of the history, about which volatility stretches."""
        self.fit, self.stress, self.mean = fit, stress, mean
        self.digits = max(0, FINEST - ceil(max(abs(self.quantile(0, -1)), abs(self.quantile(0, 1)))).bit_length())

    def amount(self, word: int) -> int:
        """The amount that a word stands for."""
        upper = word >= 1 << 31
        distance = 2 * ((1 << 32) - 1 - word if upper else word) + 1
        octave = distance.bit_length() - 1
        cell, rest = divmod(distance << (31 - octave), 1 << 25)
        cell = 64 * octave + cell - 64
        value, following = self.node(cell, upper=upper), self.node(cell + 1, upper=upper)
        exact = Fraction(value + (following - value) * Fraction(rest, 1 << 25)) / (1 << self.digits)
        return half_up(exact)

    @lru_cache(maxsize=4_096)  # noqa: B019 — a table lives as long as one test
    def node(self, cell: int, *, upper: bool) -> int:
        """The quantile at a node, in 2^-digits minor units."""
        return round(Fraction(self.quantile(cell, 1 if upper else -1)) * (1 << self.digits))

    def quantile(self, cell: int, side: int) -> float:
        """The stressed amount at a node of the lower (-1) or the upper (1) half."""
        octave, place = divmod(cell, 64)
        away = self.fit.scale * abs(standard(self.fit.freedom)((1 + place / 64) * 2.0 ** (octave - 33)))
        volatility, losses = (
            float(millionths(self.stress.volatility_factor)),
            float(millionths(self.stress.loss_factor)),
        )
        amount = self.mean + volatility * (self.fit.location + side * away - self.mean)
        amount = (amount * losses if amount < 0 else amount) - self.stress.cost_minor
        return min(max(amount, -REACH), REACH)


def standard(freedom: float | None) -> Callable[[float], float]:
    """The quantile function of the standard normal, or of Student's t."""
    return NormalDist().inv_cdf if freedom is None else lambda probability: float(stdtrit(freedom, probability))


def half_up(amount: Fraction) -> int:
    """The nearest whole number, the higher one of two."""
    return (2 * amount.numerator + amount.denominator) // (2 * amount.denominator)
