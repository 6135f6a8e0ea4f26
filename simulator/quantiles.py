"""A fitted distribution as a table of whole numbers, read with one 32-bit word: the same amount on every device.

Word w stands for the probability (w + 1/2) / 2^32. Its distance from the nearer end is o / 2^33, with o = 2 w + 1 in
the lower half, 2 (2^32 - 1 - w) + 1 in the upper: odd, so from 1 to 2^32 - 1. Each octave of o, from 2^k, has 64 cells
of equal width; within a cell the quantile is interpolated. So it is as fine in the tails as in the middle, down to
probability 2^-33: off by less than 4e-5 of the distance from the location, or of the scale if that is more, before it
is rounded to whole minor units. Stress on losses puts a kink at 0 into one cell besides.

An amount beyond REACH, or what scaling keeps within it, is cut there. The digits are as many as leave the largest value
below 2^30, 0 to 30.

In numbers: v_c, for c from 0 to 2,048, is the quantile at distance 2^k (1 + j / 64) / 2^33, c = 64 k + j, in 2^-digits
minor units, rounded; the amount is v_c + (v_(c+1) - v_c) r / 2^25, r being the lower 25 bits of o x 2^(31 - k), rounded
to whole minor units, half up.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.fit import Fit
from simulator.spec import REACH, Stress
from simulator.stress import stressed_amounts

CELL_BITS: Final = 6
OCTAVES: Final = 32
CELLS: Final = OCTAVES << CELL_BITS
"""Cells from an end to the median."""
REST_BITS: Final = 31 - CELL_BITS

_MOST_BITS: Final = 30

Nodes = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantiles:
    """values, changes: int32[2 x CELLS], a cell's first node and what it changes by to the next, the lower half first,
    each from its end to the median; in 2^-digits minor units.
    """

    values: npt.NDArray[np.int32]
    changes: npt.NDArray[np.int32]
    digits: int

    @property
    def range_minor(self) -> tuple[int, int]:
        """The least and the largest amount."""
        half = 1 << self.digits >> 1
        least, largest = (int(self.values[end]) + half >> self.digits for end in (0, CELLS))
        return least, largest


def distances() -> Nodes:
    """The probability at each node, from an end: float64[CELLS + 1], exact."""
    octave, cell = np.divmod(np.arange(CELLS + 1), 1 << CELL_BITS)
    found: Nodes = np.ldexp(1 + cell / (1 << CELL_BITS), octave - 33)
    return found


def nodes(fit: Fit, stress: Stress, mean_minor: float) -> tuple[Nodes, Nodes]:
    """The quantiles of the lower and of the upper half, in minor units, each from its end to the median."""
    away = fit.scale * _standard(fit.freedom)
    low, high = (stressed_amounts(stress, each, mean_minor) for each in (fit.location - away, fit.location + away))
    return low, high


def build(fit: Fit, stress: Stress, mean_minor: float, most_minor: int = REACH) -> Quantiles:
    """The table. Amounts beyond the most are cut there."""
    halves = [np.clip(half, -most_minor, most_minor) for half in nodes(fit, stress, mean_minor)]
    largest = int(np.ceil(max(np.abs(half).max() for half in halves)))
    digits = max(0, _MOST_BITS - largest.bit_length())
    whole = [np.rint(np.ldexp(half, digits)).astype(np.int64) for half in halves]
    return Quantiles(
        values=np.concatenate([half[:-1] for half in whole]).astype(np.int32),
        changes=np.concatenate([np.diff(half) for half in whole]).astype(np.int32),
        digits=digits,
    )


def _standard(freedom: float | None) -> Nodes:
    """How far the quantile at each node is from the median, in scales."""
    if freedom is None:
        normal = NormalDist()
        return np.array([abs(normal.inv_cdf(each)) for each in distances().tolist()])
    from scipy.special import stdtrit  # noqa: PLC0415 — slow to import, and few jobs need it

    quantiles: Nodes = np.abs(stdtrit(freedom, distances()))
    return quantiles
