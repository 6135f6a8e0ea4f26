"""How often the interval of an expected shortfall holds it: laws of losses with a known one, and samples of each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import stats

from simulator.histogram import Histogram
from simulator.shortfall import expected_shortfall

Floats = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]
"""So many losses."""

UNIT: Final = 20_000
TRADES: Final = 10
"""Of which the P&L of a path of resampled trades is the sum."""

RUNS: Final = 1_000
SIZES: Final = (1_000, 2_000, 5_000, 10_000)
LEVELS: Final = (0.95, 0.99)


def lognormal_shortfall(confidence: float) -> float:
    """Of a loss of which the logarithm is standard normal (McNeil, Frey & Embrechts 2015, §2.3.4)."""
    return float(np.exp(0.5) * stats.norm.cdf(1 - stats.norm.ppf(confidence)) / (1 - confidence))


@cache
def history() -> npt.NDArray[np.int64]:
    """200 heavy-tailed trades, in minor units."""
    return np.rint(np.random.default_rng(40).standard_t(4, 200) * UNIT + 3_000).astype(np.int64)


def resampled(rng: np.random.Generator, size: int) -> Floats:
    """Losses of so many paths."""
    return -rng.choice(history(), (size, TRADES)).sum(axis=1) / UNIT


def resampled_shortfall(confidence: float) -> float:
    """By convolution of the history with itself."""
    losses = -history()
    law = np.bincount(losses - losses.min()) / losses.size
    length = TRADES * (law.size - 1) + 1
    law = np.clip(np.fft.irfft(np.fft.rfft(law, 1 << length.bit_length()) ** TRADES, 1 << length.bit_length()), 0, None)
    return tail_mean(np.arange(length) + TRADES * losses.min(), law[:length], confidence) / UNIT


def tail_mean(ascending: npt.NDArray[np.int64], law: Floats, confidence: float) -> float:
    """The mean of the worst cases of a discrete loss."""
    below = law.cumsum() - law
    worst = np.clip(law - np.clip(confidence - below, 0, None), 0, None)
    return float((ascending * worst).sum() / (1 - confidence))


def normal_shortfall(confidence: float) -> float:
    """Density at the quantile over the share of the tail."""
    return float(stats.norm.pdf(stats.norm.ppf(confidence)) / (1 - confidence))


def student_shortfall(confidence: float, freedom: float) -> float:
    """Of a Student-t loss (McNeil, Frey & Embrechts 2015, example 2.15)."""
    at = stats.t.ppf(confidence, freedom)
    return float(stats.t.pdf(at, freedom) / (1 - confidence) * (freedom + at**2) / (freedom - 1))


def student(freedom: float) -> tuple[Draw, Callable[[float], float]]:
    """A Student-t loss."""
    return (lambda rng, size: rng.standard_t(freedom, size), lambda level: student_shortfall(level, freedom))


LAWS: Final[dict[str, tuple[Draw, Callable[[float], float]]]] = {
    "normal": (lambda rng, size: rng.standard_normal(size), normal_shortfall),
    "t(4)": student(4),
    "t(3)": student(3),
    "lognormal losses": (lambda rng, size: np.exp(rng.standard_normal(size)), lognormal_shortfall),
    "resampled heavy-tailed trades": (resampled, resampled_shortfall),
}


@cache
def coverage(law: str) -> dict[tuple[int, float], float]:
    """By the number of values and the level."""
    draw, truth = LAWS[law]
    rng, hits = np.random.default_rng(12), {(size, level): 0 for size in SIZES for level in LEVELS}
    truths = {level: truth(level) * UNIT for level in LEVELS}
    for _ in range(RUNS):
        for size in SIZES:
            pnl = Histogram.of(np.rint(draw(rng, size) * -UNIT).astype(np.int64))
            for level in LEVELS:
                found = expected_shortfall(pnl, level)
                hits[size, level] += found.ci_low <= truths[level] <= found.ci_high
    return {case: count / RUNS for case, count in hits.items()}


def cut_off(size: int, level: float, share: float) -> float:
    """The coverage where t(4) losses are cut off at the one that this share is beyond, as at a floor."""
    floor = stats.t.isf(share, 4)
    beyond = student_shortfall(level, 4) * (1 - level) - student_shortfall(1 - share, 4) * share
    truth, rng, hits = (beyond + floor * share) / (1 - level) * UNIT, np.random.default_rng(13), 0
    for _ in range(RUNS):
        losses = np.minimum(rng.standard_t(4, size), floor)
        found = expected_shortfall(Histogram.of(np.rint(losses * -UNIT).astype(np.int64)), level)
        hits += found.ci_low <= truth <= found.ci_high
    return hits / RUNS


def all_laws() -> list[dict[str, Any]]:
    """A row for each law and level, by the number of values."""
    return [
        {"law": law, "level": level, "held": {str(size): coverage(law)[size, level] for size in SIZES}}
        for law in LAWS
        for level in LEVELS
    ]
