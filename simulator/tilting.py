"""Exponential tilting: how the draws of a bootstrap are weighted so that rare breaches become frequent.

A draw of the history (a trade, a block, a day) whose P&L is s gets a weight proportional to exp(-θ s) in place of 1; of
the stationary bootstrap, whose blocks end by chance, the whole chain is tilted instead (`simulator.block_tilting`).
Drawn from the tilted weights, paths fall, and each carries the likelihood ratio that makes its estimate unbiased
(Siegmund 1976; Asmussen & Glynn 2007, ch. VI). A fall may begin at any time, above all below a floor that trails: so a
path draws as it always does until one of `starts` moments, evenly spaced and each as likely, and tilted from then on;
for the floor of a day, on one day and on no other.
One path in WAYS / PLAIN_WAYS is never tilted at all. A path's weight is the ratio to the mixture over all the moments
at which it might have begun, never included: a defensive mixture (Hesterberg 1995; Owen & Zhou 2000), so no weight is
beyond WAYS / PLAIN_WAYS, and a breach that plain paths see is seen here too.

What a draw is scored by is what decides which draws become frequent: its P&L, for falls that many draws make, or the
lowest point that equity reaches within it, for a breach within one draw that may end with a gain.

θ is near the larger of two: the root of E exp(-θ s) = 1, which is best for a floor that stands still and a horizon that
never comes (Siegmund 1976), and what makes the mean path reach the floor at the horizon. Pilots choose the multiple.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator import stretches
from simulator.alias import Alias
from simulator.history import History
from simulator.spec import Model
from simulator.sums import dot
from simulator.within_a_day import Guide

Float64s = npt.NDArray[np.float64]

FACTORS: Final = (0.8, 1.0, 1.25)
"""Multiples of a strength that pilots try."""

MOMENTS: Final = 32
"""At which a tilt may begin; or 1, the start of the path alone, where a fall may as well begin there. Of few that are
far apart, the falls between them have great weights, and too few of them are drawn to know how great.
"""

WAYS: Final = 5
PLAIN_WAYS: Final = 1
"""Of so many ways that lead to each moment, these lead to none instead: their paths are plain."""

_STEEPEST: Final = 50.0
"""The largest exponent of a weight: a steeper tilt would leave one draw alone."""

_FINE: Final = 1e-3
"""To so much, relatively, a strength is found; those that differ by less are tried once."""

_HALVINGS: Final = 50
"""At most: what is then below is as good as none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighting:
    """How strongly draws are weighted, θ per minor unit, and at how many moments that may begin. reach: the share of
    the horizon over which these are spread. by_low: what counts of a draw is the lowest point within it, not its P&L.
    within_a_day: the moments are the first days, it ends with the day on which it began, and draws are weighted not by
    θ, which is 0, but as `simulator.within_a_day` says.
    """

    strength: float
    starts: int
    reach: float = 1.0
    by_low: bool = False
    within_a_day: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """Weighted draws: one table, or one for each row of a guide. restarts: float64[tables, trades], how likely a block
    of the stationary bootstrap begins anew after each trade; None: as likely as without weights.
    """

    tables: tuple[Alias, ...]
    restarts: Float64s | None = None
    guide: Guide | None = None


def scores(model: Model, history: History, block_length: float) -> Float64s | None:
    """The P&L that is weighted, in minor units: of a trade, a fixed block, a day; None if no bootstrap."""
    pnl = history.pnl_minor.astype(np.float64)
    match model:
        case Model.IID | Model.STATIONARY:
            return pnl
        case Model.DAY:
            return np.add.reduceat(pnl, history.day_start)
        case Model.CIRCULAR:
            return _sliding(pnl, int(block_length))
        case _:
            return None


def lows(model: Model, history: History, block_length: float) -> Float64s | None:
    """The lowest point within each draw, in minor units, MAE included where it is known: of a trade, of the trades of a
    block on average, of a day; None if no bootstrap.
    """
    pnl = history.pnl_minor.astype(np.float64)
    worst = pnl if history.mae_minor is None else np.minimum(pnl, history.mae_minor)
    match model:
        case Model.IID:
            return worst
        case Model.DAY:
            begun, lowest = _begun_and_lowest(pnl, worst)
            return np.minimum.reduceat(lowest, history.day_start) - begun[history.day_start]
        case Model.STATIONARY | Model.CIRCULAR:
            begun, lowest = _begun_and_lowest(np.concatenate([pnl, pnl]), np.concatenate([worst, worst]))
            length = min(max(1, round(block_length)), pnl.size)
            return stretches.least(lowest, np.full(pnl.size, length)) - begun[: pnl.size]
        case _:
            return None


def _begun_and_lowest(pnl: Float64s, worst: Float64s) -> tuple[Float64s, Float64s]:
    """Of trades one after the other: where each begins, and its lowest point. Whole numbers, so exactly."""
    begun = np.cumsum(pnl) - pnl
    return begun, begun + worst


def helps(found: Float64s, *, by_low: bool = False) -> bool:
    """Whether any weighting does: not where no draw is below 0, or all are alike or, as P&L, below 0."""
    return bool(found.min() < 0 and found.min() != found.max() and (found.max() > 0 or by_low))


def strength(found: Float64s, fall: float) -> float:
    """How strongly to weight draws of which each should bring a path this much lower, in minor units."""
    return max(root(found), where(lambda each: _tilted_mean(found, each) > -fall, 0.0, steepest(found)))


def candidates(middle: float, *, most: float, starts: int, reach: float, by_low: bool = False) -> Iterator[Weighting]:
    """What pilots try: strengths about the middle one, and none beyond `most`."""
    tried = 0.0
    for each in sorted(min(most, middle * factor) for factor in FACTORS):
        if math.isclose(each, tried, rel_tol=_FINE):
            continue
        tried = each
        yield Weighting(strength=each, starts=starts, reach=reach, by_low=by_low)


def root(found: Float64s) -> float:
    """The strength other than 0 at which the mean of exp(-θ s) is 1; 0 unless draws gain on average."""
    if found.mean() <= 0:
        return 0.0
    low = high = 1 / float(np.abs(found).max())
    while _log_mean(found, high) < 0:
        high *= 2
    while _log_mean(found, low) >= 0:
        low /= 2
    return where(lambda middle: _log_mean(found, middle) < 0, low, high)


def where(below: Callable[[float], bool], low: float, high: float) -> float:
    """Where what holds from `low` on ceases to."""
    for _ in range(_HALVINGS):
        if high - low <= _FINE * high:
            break
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2


def steepest(found: Float64s) -> float:
    """The largest strength that is tried."""
    return _STEEPEST / float(np.abs(found).max())


def _log_mean(found: Float64s, strength: float) -> float:
    exponent = -strength * found
    top = exponent.max()
    return float(top + np.log(np.mean(np.exp(exponent - top))))


def _tilted_mean(found: Float64s, strength: float) -> float:
    exponent = -strength * found
    weight = np.exp(exponent - exponent.max())
    return dot(weight, found) / float(weight.sum())


def _sliding(pnl: Float64s, length: int) -> Float64s:
    """The P&L of the `length` trades from each on, wrapping."""
    rounds, rest = divmod(length, pnl.size)
    totals = np.concatenate([[0.0], np.cumsum(np.concatenate([pnl, pnl]))])
    block = totals[rest : rest + pnl.size] - totals[: pnl.size] + rounds * pnl.sum()
    return np.asarray(block, dtype=np.float64)
