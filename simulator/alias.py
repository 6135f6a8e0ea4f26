"""Drawing with weights from a uniform index and a uniform word: the table of Walker 1977, filled as by Vose 1991.

Index i keeps a part of its cell, the rest goes to another: those with less than their share are topped up by those with
more, one after the other. Who has given more than it had left is itself topped up, by the next. So who gives to whom
is read off two running totals, of what is lacked and of what there is to give.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Float64s = npt.NDArray[np.float64]
Uint32s = npt.NDArray[np.uint32]

TWO_32: Final = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alias:
    """Weighted drawing from a uniform index i and a uniform 32-bit word: i if word < cut[i], else other[i].

    cut, other: uint32[draws]. ratio: float64[draws], the probability of each draw, as the table makes it, over 1/draws.
    """

    cut: Uint32s
    other: Uint32s
    ratio: Float64s


def alias(weights: Float64s) -> Alias:
    """The table that draws index i with a probability proportional to weights[i], which are not negative, nor all 0."""
    shares = weights / weights.max()
    kept, other = _topped_up(shares / shares.sum() * shares.size)
    cut = np.minimum(np.rint(kept * TWO_32), TWO_32 - 1)
    exact = cut + np.bincount(other, TWO_32 - cut, minlength=cut.size)
    return Alias(cut=cut.astype(np.uint32), other=other.astype(np.uint32), ratio=exact / TWO_32)


def _topped_up(share: Float64s) -> tuple[Float64s, npt.NDArray[np.intp]]:
    """What each index keeps of its cell, and who has the rest. Shares add up to their number, but for rounding: what is
    lacked or left at the end for that reason alone stays where it is.
    """
    kept, other = np.ones(share.size), np.arange(share.size)
    light, heavy = np.flatnonzero(share < 1), np.flatnonzero(share >= 1)
    lacked, to_give = np.cumsum(1 - share[light]), np.cumsum(share[heavy] - 1)
    lacked_before = np.concatenate([[0.0], lacked])
    giver = np.searchsorted(to_give, lacked_before[:-1], side="right")
    given = giver < heavy.size
    kept[light[given]], other[light[given]] = share[light[given]], heavy[giver[given]]
    last = np.searchsorted(lacked, to_give, side="right")
    overdrawn = np.flatnonzero((last[:-1] < light.size) & (lacked_before[last[:-1]] < to_give[:-1]))
    kept[heavy[overdrawn]] = 1 - (lacked[last[overdrawn]] - to_give[overdrawn])
    other[heavy[overdrawn]] = heavy[overdrawn + 1]
    return kept, other
