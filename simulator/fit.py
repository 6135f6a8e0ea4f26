"""The normal and the Student-t distribution that fit the trades best, by maximum likelihood.

normal     The mean, and the standard deviation with divisor n.
student_t  For given degrees of freedom ν, location and scale by the EM algorithm of Kent, Tyler & Vardi (1994): a trade
           at z scales from the location weighs (ν + 1)/(ν + z²). ν is where the derivative of the profile likelihood,
           ψ((ν+1)/2) - ψ(ν/2) - mean ln(1 + z²/ν), is 0 (Liu & Rubin 1995), next to the best of a grid, since there
           may be several. It is sought from 2, below which the variance is infinite, to 1,000, the normal but in name.

The numbers are rounded far below their standard errors, so that they are the same on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.spec import Model

HEAVIEST: Final = 2.0
LIGHTEST: Final = 1_000.0
_GRID: Final = (2.0, 2.5, 3.0, 4.0, 6.0, 10.0, 20.0, 50.0, 200.0, 1_000.0)
_FRACTION: Final = 1 << 10
"""Location and scale are kept in 1/1024 of a minor unit."""

_TOLERANCE: Final = 1e-12
_ROUGH: Final = 1e-6
_MOST_ROUNDS: Final = 2_000
_MOST_SECANTS: Final = 60

Series = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """location + scale x (a standard normal, or a Student-t with `freedom`), in minor units. Scale 0: a constant."""

    location: float
    scale: float
    freedom: float | None = None


def fit(model: Model, pnl_minor: npt.NDArray[np.int32]) -> Fit | None:
    """The fit of the trades; None for a model that resamples. A t whose best ν is at a bound has that ν."""
    match model:
        case Model.NORMAL:
            return _normal(pnl_minor)
        case Model.STUDENT_T:
            return _student_t(pnl_minor.astype(np.float64))
        case _:
            return None


def _normal(pnl_minor: npt.NDArray[np.int32]) -> Fit:
    n, total = pnl_minor.size, int(pnl_minor.sum(dtype=np.int64))
    squares = sum(each * each for each in pnl_minor.tolist())
    return Fit(location=_kept(total / n), scale=_kept(math.sqrt((n * squares - total * total) / n**2)))


def _student_t(pnl: Series) -> Fit:
    """By location and scale of the trades over their spread, so that no number is extreme."""
    centre, spread = float(np.median(pnl)), float(pnl.std())
    if spread == 0:
        return Fit(location=_kept(centre), scale=0.0, freedom=LIGHTEST)
    search = _Search((pnl - centre) / spread)
    freedom = float(f"{search.best():.4g}")
    location, scale = search.at(freedom)
    return Fit(location=_kept(centre + spread * location), scale=_kept(spread * scale), freedom=freedom)


def _kept(minor: float) -> float:
    return round(minor * _FRACTION) / _FRACTION


class _Search:
    """The profile likelihood of ν; each look starts from the location and scale found last."""

    def __init__(self, series: Series) -> None:
        """Starts from the moments."""
        self._series = series
        self._location, self._variance = float(series.mean()), float(series.var())

    def at(self, freedom: float, tolerance: float = _TOLERANCE) -> tuple[float, float]:
        """Location and scale that maximise the likelihood for this ν."""
        for _ in range(_MOST_ROUNDS):
            if self._variance < _TOLERANCE**2:
                return self._location, 0.0
            weights = (freedom + 1) / (freedom + self._squares())
            total = float(weights.sum())
            location = float((weights * self._series).sum()) / total
            variance = float((weights * (self._series - location) ** 2).sum()) / total
            moved = abs(location - self._location) + abs(variance - self._variance) / self._variance
            self._location, self._variance = location, variance
            if moved < tolerance:
                break
        return self._location, math.sqrt(self._variance)

    def best(self) -> float:
        """The ν of the largest profile likelihood, within the bounds."""
        likelihoods = [self._likelihood(freedom) for freedom in _GRID]
        top = int(np.argmax(likelihoods))
        low, high = _GRID[max(top - 1, 0)], _GRID[min(top + 1, len(_GRID) - 1)]
        return math.exp(_root(lambda log: self._slope(math.exp(log)), math.log(low), math.log(high)))

    def _squares(self) -> Series:
        squares: Series = (self._series - self._location) ** 2 / self._variance
        return squares

    def _likelihood(self, freedom: float) -> float:
        """The mean log likelihood, less what no parameter changes."""
        _, scale = self.at(freedom, _ROUGH)
        if scale == 0:
            return math.inf
        norm = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(freedom) / 2 - math.log(scale)
        return norm - (freedom + 1) / 2 * float(np.log1p(self._squares() / freedom).mean())

    def _slope(self, freedom: float) -> float:
        """The derivative of the mean log likelihood by ν, twice."""
        from scipy.special import digamma  # noqa: PLC0415 — slow to import, and few jobs need it

        _, scale = self.at(freedom)
        if scale == 0:
            return 0.0
        weight = float(digamma((freedom + 1) / 2) - digamma(freedom / 2))
        return weight - float(np.log1p(self._squares() / freedom).mean())


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function is 0, by the Illinois method; the end nearer to it if it is 0 nowhere between."""
    at_low, at_high = falling(low), falling(high)
    if at_low <= 0 or at_high >= 0:
        return low if at_low <= 0 else high
    last, rose = low, None
    for _ in range(_MOST_SECANTS):
        found = (low * at_high - high * at_low) / (at_high - at_low)
        value = falling(found)
        if value == 0 or abs(found - last) < _TOLERANCE:
            return found
        if value > 0:
            low, at_low, at_high = found, value, at_high / 2 if rose is True else at_high
        else:
            high, at_high, at_low = found, value, at_low / 2 if rose is False else at_low
        last, rose = found, value > 0
    return last
