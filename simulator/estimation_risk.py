"""What the history's shortness leaves open: the simulation is repeated on histories that might as well have been.

`simulator.outer_bootstrap` makes the R histories and runs M paths on each; here is what is kept and made of them.

The estimates p̂_r vary by more than the histories do: Σ p̂_r(1 − p̂_r) / (R (M − 1)) of their variance is sampling noise
of the inner paths, by the law of total variance. It is taken off (the ANOVA estimator of a variance component; Searle,
Casella & McCulloch 1992, ch. 3; for nested simulation Sun, Apley & Staum 2011):

    S² = Σ(p̂_r − p̄)²/(R − 1),   N² = Σ p̂_r(1 − p̂_r) / (R (M − 1)),   σ² = max(S² − N², 0).

The interval is that of the percentiles (Efron 1979; Davison & Hinkley 1997, ch. 5) of estimates drawn together about
their mean, p̃_r = p̄ + (p̂_r − p̄) σ/S, so that they spread as the histories do (Louis 1984); an end is 0 where that of
the p̂_r is 0, and 1 where it is 1. It is not a sampling error: more paths do not narrow it, more trades do. Its ends
have an error of their own, for there are R histories and not more: that is how they vary over 200 samples of R of the
p̂_r, drawn with replacement (Efron 1979). Where noise makes up half of the variance or more, as where events are few, σ
is too little known for that, and the interval is that of `simulator.few_events`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator import few_events, rng
from simulator.estimate import LEVEL
from simulator.tally import Finished, Outcome

_ENTRY: Final = struct.Struct("<I4I")

Float64s = npt.NDArray[np.float64]
Counts = tuple[int, int, int, int]

LEFT_OUT: Final[Counts] = (0, 0, 0, 0)
LEAST_LEFT: Final = 20
"""With fewer histories there is no interval; as few may be asked for."""
LEAST_FOR_ERRORS: Final = 100
"""With fewer, hardly any history is beyond an end, and what such an end varies by is not seen in them."""
RESAMPLES: Final = 200
"""The error of an end is then known to 5% of itself."""

_KEY: Final = (np.full(1, 0x454E4453, np.uint32), np.full(1, 0x424F4F54, np.uint32))
_ROUNDS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Histories:
    """How the paths ended on each history done, by the history's number: paths by `Outcome`, `LEFT_OUT` if there are
    none. Merging is exact.
    """

    ends: Mapping[int, Counts] = field(default_factory=dict)

    @property
    def left_out(self) -> int:
        """Histories on which nothing could be simulated."""
        return sum(each == LEFT_OUT for each in self.ends.values())

    @property
    def tell(self) -> bool:
        """Whether enough are left for an interval."""
        return len(self.ends) - self.left_out >= LEAST_LEFT

    def __or__(self, other: Histories) -> Histories:
        """The histories of both; one that is in both is the same in both."""
        return Histories(ends={**self.ends, **other.ends})

    def to_bytes(self) -> bytes:
        """The canonical serial form: equal histories give equal bytes."""
        return b"".join(_ENTRY.pack(number, *self.ends[number]) for number in sorted(self.ends))

    @staticmethod
    def from_bytes(data: bytes) -> Histories:
        """What `to_bytes` gave.

        Raises: ValueError for anything else.
        """
        if len(data) % _ENTRY.size:
            raise ValueError("Serialised histories are cut short: start again without the checkpoint.")
        return Histories(ends={number: (a, b, c, d) for number, a, b, c, d in _ENTRY.iter_unpack(data)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A probability over the histories: mean, standard deviation and 95% interval, inner sampling noise taken off.

    low_std_error, high_std_error: of the ends, for so many histories and not more; infinite where they are not known.
    """

    mean: float
    std_dev: float
    low: float
    high: float
    low_std_error: float = math.inf
    high_std_error: float = math.inf


def ends(finished: Finished) -> Counts:
    """Paths by `Outcome`."""
    passed, max_drawdown, daily_loss, expired = np.bincount(finished.outcome, minlength=len(Outcome)).tolist()
    return passed, max_drawdown, daily_loss, expired


def interval(found: Histories, outcome: Outcome) -> Interval:
    """What the histories that are not left out say of one outcome; see the module for the formulas.

    Raises: ValueError for fewer than two histories.
    """
    kept = [ends for _, ends in sorted(found.ends.items()) if ends != LEFT_OUT]
    counts = np.array(kept, dtype=np.float64)
    if len(counts) < 2:
        raise ValueError("Estimation risk needs two histories or more: ask for at least 20.")
    paths = counts[0].sum()
    shares = counts[:, outcome] / paths
    seen = _Spread.of(shares[np.newaxis], paths)
    mean, std_dev = float(seen.mean[0]), float(seen.std_dev[0])
    if not seen.is_known[0]:
        low, high = few_events.interval(counts[:, outcome], paths)
        low = 0.0 if seen.low[0] == 0 else low
        high = 1.0 if seen.high[0] == 1 else high
        return Interval(mean=mean, std_dev=std_dev, low=low, high=high)
    errors = (math.inf, math.inf) if len(shares) < LEAST_FOR_ERRORS else _errors_of_ends(shares, paths)
    return Interval(
        mean=mean,
        std_dev=std_dev,
        low=float(seen.low[0]),
        high=float(seen.high[0]),
        low_std_error=errors[0],
        high_std_error=errors[1],
    )


class _Spread(NamedTuple):
    """Of each row of shares: float64[rows]. is_known: bool[rows], whether the histories make up more of the variance
    than the noise does.
    """

    mean: Float64s
    std_dev: Float64s
    low: Float64s
    high: Float64s
    is_known: npt.NDArray[np.bool_]

    @staticmethod
    def of(shares: Float64s, paths: float) -> _Spread:
        mean, total = shares.mean(axis=1), shares.var(axis=1, ddof=1)
        noise = (shares * (1 - shares)).mean(axis=1) / (paths - 1)
        between = np.maximum(total - noise, 0.0)
        shrink = np.sqrt(np.divide(between, total, out=np.zeros_like(total), where=total > 0))
        ascending = np.sort(shares, axis=1)
        low, high = (_percentile(ascending, level) for level in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
        return _Spread(
            mean=mean,
            std_dev=np.sqrt(between),
            low=np.where(low == 0, 0.0, mean + (low - mean) * shrink),
            high=np.where(high == 1, 1.0, mean + (high - mean) * shrink),
            is_known=between > total / 2,
        )


def _percentile(ascending: Float64s, level: float) -> Float64s:
    """The quantile of each row by the rank (R + 1)p, between neighbours on a straight line (Davison & Hinkley 1997,
    §5.2).
    """
    last = ascending.shape[1] - 1
    rank = min(max(level * (last + 2) - 1, 0.0), float(last))
    below = min(int(rank), last - 1)
    found: Float64s = ascending[:, below] + (ascending[:, below + 1] - ascending[:, below]) * (rank - below)
    return found


def _errors_of_ends(shares: Float64s, paths: float) -> tuple[float, float]:
    """How the ends vary over as many histories drawn from these, with replacement."""
    histories = len(shares)
    number = np.arange(-(-RESAMPLES * histories // 2), dtype=np.uint32)
    words = rng.threefry2x32(_KEY, (number, np.zeros(1, np.uint32)), rounds=_ROUNDS)
    drawn = np.concatenate(words)[: RESAMPLES * histories].astype(np.uint64) * np.uint64(histories) >> np.uint64(32)
    seen = _Spread.of(shares[drawn.astype(np.intp).reshape(RESAMPLES, histories)], paths)
    return float(seen.low.std(ddof=1)), float(seen.high.std(ddof=1))
