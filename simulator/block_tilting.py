"""How the stationary bootstrap is tilted: not only where its blocks begin, but when.

Its paths are a Markov chain over the trades of the history: from trade i a block begins anew with probability p, at any
trade alike, else trade i + 1 follows. Tilted by θ, trade j comes with a probability in proportion to its plain one
times g(j) = exp(-θ x(j) - ψ d(j)) h(j): x is the P&L, d 1 for a trade that ends its day, else 0, and h any positive
numbers. So a block begins anew with probability a / Z(i), a = p mean(g), Z(i) = a + (1 - p) g(i + 1), at a trade drawn
in proportion to g: blocks that go well are cut short, bad ones go on, and more is traded before the horizon comes.

The best h says how much is still to come: it is the eigenvector of the chain's probabilities times exp(-θ x - ψ d). ψ,
the price of a day, makes the eigenvalue 1, so that a path's weight depends on how far it fell and in how many days, and
not on how many trades. Then paths breach as they do when they breach (Bucklew, Ney & Sadowsky 1990; Asmussen & Glynn
2007, ch. VI). Some multiplications come near to both; any others leave the estimate unbiased.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator import tilting
from simulator.sums import dot

Float64s = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ROUNDS: Final = 24
"""Multiplications. More make blocks of 50 to 100 trades hardly better, and shorter ones not at all."""

ROUNDS_WITHIN: Final = 8
"""As ROUNDS, to find the steepest tilt."""

HIGHEST_PRICE: Final = 10.0
"""A tilt may be so steep that no price of a day will do."""

LEAST_SPREAD: Final = 0.1
"""Blocks of trades that all but cancel out spread paths less, but then a path falls within a block."""

_NOTHING: Final = 1e-17
"""A weight that changes no sum."""


@dataclass(frozen=True, kw_only=True, eq=False)  # no slots: what takes some time is kept once it was asked for
class Chain:
    """pnl: float64[trades], minor units; ends: bool[trades], which trades end their day, None where a day has a fixed
    number of trades; restarts: p.
    """

    pnl: Float64s
    ends: Bools | None
    restarts: float

    @cached_property
    def ahead(self) -> Float64s:
        """What is still to come of a block beyond each trade, on average, over what comes of as many other trades."""
        stays = 1 - self.restarts
        found: Float64s = stays * np.roll(discounted(self.pnl - self.pnl.mean(), stays), -1)
        return found

    @cached_property
    def spread(self) -> float:
        """The variance of a long path's P&L over that of independent trades (Politis & Romano 1994)."""
        centred = self.pnl - self.pnl.mean()
        return max(LEAST_SPREAD, 1 + 2 * dot(centred, self.ahead) / dot(centred, centred))

    @cached_property
    def steepest(self) -> float:
        """The largest strength that is tried: at most that from which on no price of a day makes up for the trades
        within it.
        """
        most = min(tilting.steepest(self.pnl), tilting.steepest(self.ahead) if self.ahead.any() else math.inf)
        if self.ends is None:
            return most
        goes_on = ~self.ends
        return tilting.where(lambda each: self._growth_within(goes_on, each) < 1, 0.0, most)

    def strength(self, fall: float) -> float:
        """θ that brings a path this much lower each day, or each trade if days are fixed."""
        reaching = tilting.where(lambda each: self._drift(each) > -fall, 0.0, self.steepest)
        return max(tilting.root(self.pnl), reaching) / self.spread

    def _drift(self, strength: float) -> float:
        """The mean P&L of a day under the tilt, of a trade if days are fixed, as if trades were independent; -inf where
        the tilt is so steep that no price of a day will do.
        """
        weight = np.exp(-strength * self.pnl)
        if self.ends is None:
            return dot(weight, self.pnl) / float(weight.sum())
        going_on = float(weight[~self.ends].sum()) / self.pnl.size
        if going_on >= 1:
            return -math.inf
        ending = weight[self.ends]
        price = (1 - going_on) / (float(ending.sum()) / self.pnl.size)
        within = dot(weight[~self.ends], self.pnl[~self.ends])
        return (within + price * dot(ending, self.pnl[self.ends])) / (price * float(ending.sum()))

    def _growth_within(self, goes_on: Bools, strength: float) -> float:
        """By what the tilted weight of the paths whose day has not ended grows with each trade."""
        falls, more, growth = np.exp(-strength * self.pnl) * goes_on, np.exp(-strength * self.ahead), 0.0
        for _ in range(ROUNDS_WITHIN):
            chosen = falls * more
            if not chosen.any():
                return 0.0
            before, more = more, self._expected(chosen)
            growth = float(more.sum() * chosen.mean() / before.sum())
        return growth

    def tilted(self, strength: float) -> tuple[Float64s, Float64s]:
        """Tilted by θ = `strength`: log g of each trade, and a / Z, how likely a block begins anew after it."""
        falls, more, price = np.exp(-strength * self.pnl), np.exp(-strength * self.ahead), 0.0
        for _ in range(ROUNDS):
            chosen = self._priced(falls, price) * more
            before, more = more, self._expected(chosen)
            if self.ends is not None:
                growth = float(more.sum() * chosen.mean() / before.sum())
                often = max(float(self.ends.mean()), float(chosen[self.ends].sum() / chosen.sum()))
                price = min(HIGHEST_PRICE, price + math.log(growth) / often)
        chosen = self._priced(falls, price) * more
        return np.log(chosen), self.restarts / self._expected(chosen)

    def _priced(self, falls: Float64s, price: float) -> Float64s:
        return falls if self.ends is None else np.where(self.ends, falls * math.exp(-price), falls)

    def _expected(self, chosen: Float64s) -> Float64s:
        """Z over mean(g): what is expected of the trade after each."""
        following = np.concatenate([chosen[1:], chosen[:1]])
        found: Float64s = self.restarts + (1 - self.restarts) * (following / chosen.mean())
        return found


def discounted(values: Float64s, stays: float) -> Float64s:
    """The mean sum of a block of geometric length that begins at each entry: B(i) = x(i) + stays * B(i + 1), wrapping.

    `stays` < 1. By stretches that double.
    """
    found, weight, reach = values, stays, 1
    while weight > _NOTHING:
        found = found + weight * np.roll(found, -(reach % values.size))
        weight, reach = weight * weight, 2 * reach
    return found
