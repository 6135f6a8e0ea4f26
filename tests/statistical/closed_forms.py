"""What is known exactly of random walks, Brownian motion and bootstrap means.

Discrete laws are exact; what is Brownian is the limit of small steps, and its distance from the walk that is simulated
is stated where the two are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, pi, sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]

BGK = 0.5826
"""-zeta(1/2) / sqrt(2 pi): a barrier looked at once a step is that many standard deviations of a step further away
(Broadie, Glasserman & Kou 1997)."""

# Walks of steps +1 and -1.


def ruin(p: float, start: int, top: int) -> float:
    """P(0 before `top`) of a walk that rises with probability p (Feller I, XIV.2)."""
    r = (1 - p) / p
    return 1 - start / top if p == 0.5 else (r**start - r**top) / (1 - r**top)


def ruin_within(history: Sequence[int], room: int, trades: int) -> float:
    """P(a sum of independent trades of the history falls to -room or below within so many), height by height."""
    amounts, often = np.unique(history, return_counts=True)
    law = np.zeros(room + 1 + trades * max(int(amounts[-1]), 0))
    law[room], ruined = 1.0, 0.0
    for _ in range(trades):
        ahead = np.zeros_like(law)
        for amount, share in zip(amounts.tolist(), often / len(history), strict=True):
            rise, fall = max(amount, 0), max(-amount, 0)
            ahead[rise : law.size - fall] += share * law[fall : law.size - rise]
            ruined += share * float(law[:fall].sum())
        ruined, ahead[0] = ruined + float(ahead[0]), 0.0
        law = ahead
    return ruined


def ruin_of_blocks_within(history: Sequence[int], length: float, room: int, trades: int) -> float:
    """The same in blocks of so many trades on average (stationary bootstrap), by the latest trade and the height."""
    top = room + trades * max(*history, 0)
    law, ruined = np.zeros((len(history), top + 1)), 0.0
    law[:, room] = 1 / len(history)
    for _ in range(trades):
        anew = law.sum(axis=0) / len(history) / length
        law = anew + (1 - 1 / length) * np.roll(law, 1, axis=0)
        for trade, amount in enumerate(history):
            fallen = law[trade, : max(0, 1 - amount)].sum()
            law[trade] = np.roll(law[trade], amount)
            law[trade, : max(0, amount) + 1] = 0.0
            law[trade, top + 1 + min(0, amount) :] = 0.0
            ruined += float(fallen)
    return ruined


def ruin_within_a_day(history: Sequence[int], ends: Sequence[bool], room: int) -> float:
    """The same before a trade that ended its day is drawn, or with it, of independent trades of the history."""
    top, ruined = 40 * room, 0.0
    law = np.zeros(top + 1)
    law[room] = 1.0
    while law.sum() > 1e-15:
        ahead = np.zeros_like(law)
        for amount, end in zip(history, ends, strict=True):
            ruined += float(law[: max(0, 1 - amount)].sum()) / len(history)
            if not end:
                rise, fall = max(amount, 0), max(-amount, 0)
                ahead[rise : law.size - fall] += law[fall : law.size - rise] / len(history)
        ahead[0] = 0.0
        law = ahead
    return ruined


def new_peaks(allowance: int, needed: int) -> float:
    """P(so many new peaks before a fall of `allowance`) of a fair walk: each peak is left upwards with d / (d + 1)."""
    return (allowance / (allowance + 1)) ** needed


def straight_losses(length: int, trades: int, p_loss: float = 0.5) -> float:
    """P(somewhere so many losses in a row), by the length of the present run (Feller I, XIII.7)."""
    runs = np.zeros(length + 1)
    runs[0] = 1.0
    for _ in range(trades):
        runs = np.array([(1 - p_loss) * runs[:-1].sum(), *(p_loss * runs[:-2]), runs[-1] + p_loss * runs[-2]])
    return float(runs[-1])


def largest_fall_below(size: int, steps: int) -> float:
    """P(the largest fall of a fair walk from its running peak, the start included, is less than `size`)."""
    falls = np.zeros(size)
    falls[0] = 1.0
    for _ in range(steps):
        risen = np.append(falls[1:], 0.0)
        risen[0] += falls[0]
        falls = (risen + np.concatenate([[0.0], falls[:-1]])) / 2
    return float(falls.sum())


# Brownian motion.


def brownian_fall_at_most(size: float) -> float:
    """P(the largest fall by time 1, of unit variance and no drift, is at most `size`): that of max |B| (Lévy)."""
    terms = np.arange(200)
    odd = 2 * terms + 1
    return float(4 / pi * ((-1.0) ** terms / odd * np.exp(-((odd * pi / size) ** 2) / 8)).sum())


def brownian_touch(room: float, drift: float, time: float) -> float:
    """P(-room is touched by `time`), unit variance: the inverse Gaussian law."""
    after, before = (-room - drift * time) / sqrt(time), (-room + drift * time) / sqrt(time)
    return float(stats.norm.cdf(after) + exp(-2 * drift * room) * stats.norm.cdf(before))


def brownian_rise_first(up: float, down: float, drift: float) -> float:
    """P(+up before -down), unit variance."""
    return (1 - exp(-2 * drift * down)) / (1 - exp(-2 * drift * (up + down)))


# Walks of normal steps, by quadrature: Gauss & Legendre on what lies between the barriers.


def normal_walk(low: float, high: float, drift: float, steps: int) -> tuple[float, float]:
    """(P(falls to low or below first), P(rises to high or above first)) within so many normal steps of unit variance.

    With 400 nodes over at most 100 standard deviations the error is below 1e-10.
    """
    roots, weights = np.polynomial.legendre.leggauss(400)
    place = (high - low) / 2 * roots + (high + low) / 2
    weights = weights * (high - low) / 2
    onward = stats.norm.pdf(place[:, None] - place[None, :] - drift) * weights
    density: Floats = stats.norm.pdf(place - drift)
    fallen, risen = float(stats.norm.cdf(low - drift)), float(stats.norm.sf(high - drift))
    falling, rising = stats.norm.cdf(low - place - drift) * weights, stats.norm.sf(high - place - drift) * weights
    for _ in range(steps - 1):
        fallen, risen = fallen + float(falling @ density), risen + float(rising @ density)
        density = onward @ density
    return fallen, risen


# Means of resampled trades.


def autocovariance(values: Sequence[float], lag: int) -> float:
    """On the circle: sum over i of (x_i - mean)(x_(i + lag) - mean) / n."""
    centred = np.asarray(values) - np.mean(values)
    return float(centred @ np.roll(centred, -lag)) / len(values)


def variance_of_stationary_mean(values: Sequence[float], p: float) -> float:
    """Of the mean of n trades, a block ending with probability p (Politis & Romano 1994, lemma 1)."""
    n = len(values)
    lags = sum((1 - lag / n) * (1 - p) ** lag * autocovariance(values, lag) for lag in range(1, n))
    return (autocovariance(values, 0) + 2 * lags) / n


def variance_of_circular_mean(values: Sequence[float], length: int) -> float:
    """Of the mean of n trades in n / length blocks of this length, which divides n."""
    lags = sum((1 - lag / length) * autocovariance(values, lag) for lag in range(1, length))
    return (autocovariance(values, 0) + 2 * lags) / len(values)


# Tails.


def normal_shortfall(confidence: float) -> float:
    """Of a standard normal loss: density at the quantile over the share of the tail."""
    return float(stats.norm.pdf(stats.norm.ppf(confidence)) / (1 - confidence))


def student_shortfall(confidence: float, freedom: float) -> float:
    """Of a standard Student-t loss (McNeil, Frey & Embrechts 2015, example 2.15)."""
    at = stats.t.ppf(confidence, freedom)
    return float(stats.t.pdf(at, freedom) / (1 - confidence) * (freedom + at**2) / (freedom - 1))
