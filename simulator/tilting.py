"""Exponential tilting: how the draws of a bootstrap are weighted so that rare breaches become frequent.

A draw of the history (a trade, a block, a day) whose P&L is s gets a weight proportional to exp(-θ s) in place of 1.
Drawn from the tilted weights, paths fall, and each carries the likelihood ratio that makes its estimate unbiased
(Siegmund 1976; Asmussen & Glynn 2007, ch. VI). A fall may begin at any time, above all below a floor that trails: so a
path draws as it always does until one of `starts` moments, evenly spaced and each as likely, and tilted from then on.
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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.history import History
from simulator.spec import Model
from simulator.sums import dot

Float64s = npt.NDArray[np.float64]
Uint32s = npt.NDArray[np.uint32]

TWO_32: Final = 1 << 32
FACTORS: Final = (0.7, 1.0, 1.4)
"""Multiples of a strength that pilots try."""

STARTS: Final = (1, 8)
"""Numbers of moments at which a tilt may begin that pilots try; 1 is the start of the path alone."""

WAYS: Final = 5
PLAIN_WAYS: Final = 1
"""Of so many ways that lead to each moment, these lead to none instead: their paths are plain."""

_STEEPEST: Final = 50.0
"""The largest exponent of a weight: a steeper tilt would leave one draw alone."""

_ALIKE: Final = 1e-6
"""Strengths that differ by less, relatively, are tried once: the steepest that may be is found to a few bits."""

_HALVINGS: Final = 200
"""At most: of an interval that does not begin at 0 some fifty leave nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighting:
    """How strongly draws are weighted, θ per minor unit, and at how many moments that may begin. by_low: what counts of
    a draw is the lowest point within it, not its P&L.
    """

    strength: float
    starts: int
    by_low: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alias:
    """Weighted drawing from a uniform index i and a uniform 32-bit word: i if word < cut[i], else other[i].

    cut, other: uint32[draws]. ratio: float64[draws], the probability of each draw, as the table makes it, over 1/draws.
    Source: Walker 1977, in the form of Vose 1991.
    """

    cut: Uint32s
    other: Uint32s
    ratio: Float64s


def scores(model: Model, history: History, block_length: float) -> Float64s | None:
    """The P&L that comes with each draw, in minor units: a trade, a block on average, a day; None if no bootstrap."""
    pnl = history.pnl_minor.astype(np.float64)
    match model:
        case Model.IID:
            return pnl
        case Model.DAY:
            return np.add.reduceat(pnl, history.day_start)
        case Model.STATIONARY:
            return _discounted(pnl, 1 - 1 / max(block_length, 1.0))
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
            return sliding_minimum(lowest, length)[: pnl.size] - begun[: pnl.size]
        case _:
            return None


def _begun_and_lowest(pnl: Float64s, worst: Float64s) -> tuple[Float64s, Float64s]:
    """Of trades one after the other: where each begins, and its lowest point. Whole numbers, so exactly."""
    begun = np.cumsum(pnl) - pnl
    return begun, begun + worst


def sliding_minimum(values: Float64s, length: int) -> Float64s:
    """The least of each `length` neighbours, by stretches that double."""
    reach = 1
    while 2 * reach <= length:
        values = np.minimum(values[:-reach], values[reach:])
        reach *= 2
    rest = length - reach
    return np.minimum(values[: values.size - rest], values[rest:])


def candidates(
    found: Float64s, *, distance: float, draws: float, starts: Sequence[int] = STARTS, by_low: bool = False
) -> Iterator[Weighting]:
    """What pilots try: for a floor `distance` minor units away, met within about so many draws.

    Nothing if no draw is below 0, if all are alike or, as P&L, below 0: no weighting helps there.
    """
    if found.min() >= 0 or found.min() == found.max() or (found.max() <= 0 and not by_low):
        return
    middle = max(_root(found), _reaching(found, distance / max(draws, 1.0)))
    tried = 0.0
    for strength in sorted(_capped(found, middle * factor) for factor in FACTORS):
        if math.isclose(strength, tried, rel_tol=_ALIKE):
            continue
        tried = strength
        for moments in starts:
            yield Weighting(strength=strength, starts=moments, by_low=by_low)


def alias(found: Float64s, strength: float) -> Alias:
    """The table that draws index i with a probability proportional to exp(-strength * found[i])."""
    exponent = -strength * found
    weight = np.exp(exponent - exponent.max())
    share = (weight / weight.sum() * found.size).tolist()  # of lists single numbers are read faster than of arrays
    cut, other = [TWO_32 - 1] * found.size, list(range(found.size))
    small = [index for index, each in enumerate(share) if each < 1]
    large = [index for index, each in enumerate(share) if each >= 1]
    while small and large:
        low, high = small.pop(), large[-1]
        cut[low], other[low] = min(round(share[low] * TWO_32), TWO_32 - 1), high
        share[high] -= 1 - share[low]
        if share[high] < 1:
            small.append(large.pop())
    # What is left has a share of 1 but for rounding: it keeps itself, whatever the word.
    exact = np.array(cut, np.float64)
    np.add.at(exact, other, TWO_32 - exact)
    return Alias(cut=np.array(cut, np.uint32), other=np.array(other, np.uint32), ratio=exact / TWO_32)


def _root(found: Float64s) -> float:
    """The strength other than 0 at which the mean of exp(-θ s) is 1; 0 unless draws gain on average."""
    if found.mean() <= 0:
        return 0.0
    low = high = 1 / float(np.abs(found).max())
    while _log_mean(found, high) < 0:
        high *= 2
    while _log_mean(found, low) >= 0:
        low /= 2
    return _where(lambda middle: _log_mean(found, middle) < 0, low, high)


def _reaching(found: Float64s, fall: float) -> float:
    """The strength under which a draw loses `fall` on average, as far as any does."""
    return _where(lambda middle: _tilted_mean(found, middle) > -fall, 0.0, _STEEPEST / float(np.abs(found).max()))


def _where(below: Callable[[float], bool], low: float, high: float) -> float:
    """Where what holds from `low` on ceases to, as near as doubles come to it."""
    for _ in range(_HALVINGS):
        middle, before = (low + high) / 2, (low, high)
        low, high = (middle, high) if below(middle) else (low, middle)
        if (low, high) == before:
            break
    return (low + high) / 2


def _capped(found: Float64s, strength: float) -> float:
    return min(strength, _STEEPEST / float(np.abs(found).max()))


def _log_mean(found: Float64s, strength: float) -> float:
    exponent = -strength * found
    top = exponent.max()
    return float(top + np.log(np.mean(np.exp(exponent - top))))


def _tilted_mean(found: Float64s, strength: float) -> float:
    exponent = -strength * found
    weight = np.exp(exponent - exponent.max())
    return dot(weight, found) / float(weight.sum())


def _discounted(pnl: Float64s, stays: float) -> Float64s:
    """The mean P&L of a block of geometric length that begins at each trade: B(i) = x(i) + stays * B(i+1), wrapping."""
    trades, block = pnl.tolist(), [0.0] * pnl.size
    ahead = 0.0
    if stays < 1:
        powers = np.power(stays, np.arange(pnl.size), dtype=np.float64)
        ahead = dot(powers, pnl) / (1 - stays**pnl.size)
    for index in range(pnl.size - 1, -1, -1):
        ahead = trades[index] + stays * ahead
        block[index] = ahead
    return np.array(block, np.float64)


def _sliding(pnl: Float64s, length: int) -> Float64s:
    """The P&L of the `length` trades from each on, wrapping."""
    rounds, rest = divmod(length, pnl.size)
    totals = np.concatenate([[0.0], np.cumsum(np.concatenate([pnl, pnl]))])
    block = totals[rest : rest + pnl.size] - totals[: pnl.size] + rounds * pnl.sum()
    return np.asarray(block, dtype=np.float64)
