"""Where the probability of another history lies, when few events on each say little of how much histories differ.

The number of events on history r is binomial, of M paths with probability p_r, and logit p_r is normal over the
histories, with mean μ and standard deviation τ (Williams 1982; Coull & Agresti 2000). A priori τ is uniform up to 3, as
Gelman (2006) recommends for a standard deviation, and the mean probability m has Jeffreys' density, in proportion to
1/√(m(1 − m)). The interval is that of p for one history more: its distribution under μ and τ, averaged over what the
counts leave open of these two. So it is wide where events are few, and never a point.

All is summed over nodes: of τ, closer together near 0; of μ, about where the mean probability is that of all paths; and
of the normal.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.estimate import LEVEL

Float64s = npt.NDArray[np.float64]

_ALONG: Final = (np.arange(48) + 0.5) / 48
_TAU: Final = 3.0 * _ALONG**3
_LOG_PRIOR_TAU: Final = 2 * np.log(_ALONG)
"""Of a node: how far it is from its neighbours."""
_AWAY: Final = np.linspace(-5.0, 5.0, 41)
"""Nodes of μ, in standard errors."""
_NORMAL: Final = np.linspace(-4.0, 4.0, 41)
_DENSITY: Final = np.exp(-_NORMAL * _NORMAL / 2) / np.exp(-_NORMAL * _NORMAL / 2).sum()
_WIDEST: Final = 4.0
"""Of τ², as far as the nodes of μ are spread for it."""


def interval(counts: Float64s, paths: float) -> tuple[float, float]:
    """The 95% interval of the probability on another history.

    counts: float64[histories], events of so many paths each.
    """
    total = float(counts.sum())
    of_mean, error = _logit_of_mean(total, counts.size * paths - total), _error(total, counts.size, paths)
    skew = np.tanh(-of_mean / 2) * _TAU * _TAU / 2  # by which the mean probability lies above that at the mean logit
    logit = (of_mean - skew)[:, np.newaxis, np.newaxis] + np.multiply.outer(error, _AWAY)[:, :, np.newaxis]
    logit = logit + (_TAU[:, np.newaxis] * _NORMAL)[:, np.newaxis, :]
    share = 1 / (1 + np.exp(-logit))
    likely = _log_likelihood(counts, paths, logit) + _log_prior(share @ _DENSITY)
    likely += (_LOG_PRIOR_TAU + np.log(error))[:, np.newaxis]
    weight = np.exp(likely - likely.max())[:, :, np.newaxis] * _DENSITY
    return _ends(share.ravel(), weight.ravel())


def _logit_of_mean(events: float, others: float) -> float:
    return float(np.log((events + 0.5) / (others + 0.5)))


def _error(events: float, histories: int, paths: float) -> Float64s:
    """About the standard error of μ, for each τ."""
    sampling = 1 / (events + 0.5) + 1 / (histories * paths - events + 0.5)
    variance = _TAU * _TAU
    found: Float64s = np.sqrt(sampling + variance * np.exp(np.minimum(variance, _WIDEST)) / histories)
    return found


def _log_likelihood(counts: Float64s, paths: float, logit: Float64s) -> Float64s:
    """Of all counts, but for a constant, float64[τ, μ]."""
    none_of_all = -paths * np.logaddexp(0.0, logit)
    total = np.zeros(logit.shape[:2])
    for count, times in zip(*np.unique(counts, return_counts=True), strict=True):
        each = count * logit + none_of_all
        top = each.max(axis=2)
        total += times * (top + np.log(np.exp(each - top[:, :, np.newaxis]) @ _DENSITY))
    return total


def _log_prior(mean: Float64s) -> Float64s:
    """Jeffreys' of the mean probability, by its logit."""
    found: Float64s = (np.log(mean) + np.log1p(-mean)) / 2
    return found


def _ends(share: Float64s, weight: Float64s) -> tuple[float, float]:
    """The quantiles of weighted probabilities."""
    order = np.argsort(share, kind="stable")
    share, weight = share[order], weight[order]
    below = (np.cumsum(weight) - weight / 2) / weight.sum()
    low, high = np.interp([(1 - LEVEL) / 2, (1 + LEVEL) / 2], below, share).tolist()
    return low, high
