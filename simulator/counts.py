"""Paths counted on the device that ran them, and the histograms that these counts are.

Every figure has the bins of `simulator.bins`, all of them, whether they hold a path or not: their layout depends on
nothing, so the device needs to know nothing of the account. A bin is one number, so that a path is added to it at once.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.bins import EXACT_BITS
from simulator.histogram import Histogram

Uint64s = npt.NDArray[np.uint64]

VALUE_BITS: Final = 31
"""Figures of a path are below 2^31 in size."""
KEYS: Final = (VALUE_BITS - EXACT_BITS + 1) << EXACT_BITS
"""Bins of figures from 0 on: keys are below that in size."""
EXCESS_BITS: Final = 42
"""A bin's number is its count times 2^EXCESS_BITS, and the excess of its values: each excess is below 2^20."""
MOST_PATHS: Final = 1 << 21
"""So many paths at most are counted together: neither their count nor their excess is too large then."""


class Counts(NamedTuple):
    """Paths, counted. ends: uint64[outcomes, KEYS], by the day on which they end; steps: int64[], trades drawn over all
    paths; pnl: uint64[2 KEYS - 1], of the balance at the end less that at the start, key 0 in the middle; drawdown,
    trades and what follows: uint64[KEYS], those that the rules have no use for None; phases: int32[phases, 2], of how
    many each phase was the last without and with a pass.
    """

    ends: Uint64s
    steps: np.int64
    pnl: Uint64s
    drawdown: Uint64s
    trades: Uint64s
    paid: Uint64s | None
    payouts: Uint64s | None
    paused_days: Uint64s | None
    phases: npt.NDArray[np.int32] | None


def number(bins: Uint64s) -> npt.NDArray[np.int64]:
    """How many paths there are in each bin."""
    return (bins >> np.uint64(EXCESS_BITS)).astype(np.int64)


def histogram(bins: Uint64s | None) -> Histogram:
    """The histogram of a figure; that of no values where there is no such figure."""
    if bins is None:
        return Histogram.empty()
    held = np.flatnonzero(bins != 0)
    keys, both = held - (bins.size - KEYS), bins[held]
    excess = (both & np.uint64((1 << EXCESS_BITS) - 1)).astype(np.int64)
    return Histogram(keys=keys, counts=number(both), excess=np.sign(keys) * excess)
