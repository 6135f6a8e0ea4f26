"""How the draws of one day follow each other, and what each brings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator import stretches

Float64s = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Day:
    """What is drawn, and when the day is over. pnl, worst: float64[draws], minor units, what a draw brings and its
    lowest point, at most 0; of each trade where a draw is several, of `block` trades one after the other, wrapping.
    restarts: how likely the next draw is a fresh one and not the next trade.

    The day is over with a draw where `ends`, bool[draws]; or after `trades` of them; or by the hazard, float64[trades],
    of ending after each trade, which is 1 at last.
    """

    pnl: Float64s
    worst: Float64s
    block: int = 1
    restarts: float = 1.0
    ends: Bools | None = None
    trades: int | None = None
    hazard: Float64s | None = None

    def played(self, block: int) -> tuple[Float64s, Float64s, Bools]:
        """Of so many trades from each on: the P&L, the lowest point, at most 0, and whether the day ends with one of
        them; the first two up to the end of the day. Of whole numbers, so exactly.
        """
        first = np.arange(self.pnl.size)
        over_at = first + block + 1 if self.ends is None else _ends_of_days(self.ends)
        end, rounds = np.minimum(first + block, over_at), 1 - (-block // first.size)
        reached = np.concatenate([[0.0], np.cumsum(np.tile(self.pnl, rounds))])
        lowest = stretches.least(reached[:-1] + np.tile(self.worst, rounds), end - first) - reached[first]
        return reached[end] - reached[first], np.minimum(lowest, 0.0), over_at <= first + block


def _ends_of_days(ends: Bools) -> npt.NDArray[np.int64]:
    """The trade after the day of each, where the history goes round."""
    last = np.flatnonzero(ends)
    following = np.append(last, last[0] + ends.size)
    return 1 + following[np.searchsorted(last, np.arange(ends.size))]
