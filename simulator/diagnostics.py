"""What the history can tell, and whether it is one history: dependence, effective size, drift, age.

The long-run variance of the trades, γ0 + 2 Σ γ_k, is estimated with Bartlett's weights (Newey & West 1987) and the
automatic bandwidth of Newey & West 1994. It says how many independent trades would fix the mean as well, and how far
apart the means of two halves may lie by chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.planning import Plan
from simulator.spec import Model
from simulator.sums import dot
from simulator.trades import Trades

FEWEST: Final = 8
"""Below this many trades nothing can be said of dependence or drift."""

_BARTLETT: Final = 1.1447
"""The constant of the optimal bandwidth for Bartlett's weights (Newey & West 1994, table II)."""

Float64s = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """effective_sample_size: independent trades that would tell as much about the mean; drift_z: mean of the later half
    less that of the earlier, in standard errors; age: of the latest trade at the present, None where that is not known.
    """

    effective_sample_size: float
    lag_one_autocorrelation: float
    drift_z: float
    block_length_reason: str
    intra_trade: bool
    age: timedelta | None


def diagnose(plan: Plan) -> Diagnostics:
    """The diagnostics of a plan's history."""
    pnl = plan.history.pnl_minor.astype(np.float64)
    return Diagnostics(
        effective_sample_size=effective_sample_size(pnl),
        lag_one_autocorrelation=lag_one_autocorrelation(pnl),
        drift_z=drift_z(pnl),
        block_length_reason=block_length_reason(plan),
        intra_trade=plan.source.excursions,
        age=age_of(plan.spec.trades, plan.spec.settings.as_of),
    )


def effective_sample_size(series: Float64s) -> float:
    """n γ0 / (γ0 + 2 Σ γ_k), but at most n: dependence that helps is mostly noise, and never to be relied on.

    n where it is too short or too constant to judge.
    """
    if not _judged(series):
        return float(series.size)
    centred = series - series.mean()
    variance = dot(centred, centred) / series.size
    return series.size * variance / max(long_run_variance(centred), variance)


def lag_one_autocorrelation(series: Float64s) -> float:
    """Correlation of a trade with the next; 0 where it cannot be judged."""
    centred = series - series.mean()
    return dot(centred[1:], centred[:-1]) / dot(centred, centred) if _judged(series) else 0.0


def drift_z(series: Float64s) -> float:
    """How far apart the means of the two halves are, in standard errors; 0 where it cannot be judged.

    The long-run variance is that about each half's own mean, so that a drift does not hide itself, times n / (n − 2),
    and no less than that of independent trades: in a short history chance makes it too small too often.
    """
    if not _judged(series):
        return 0.0
    early, late = series[: series.size // 2], series[series.size // 2 :]
    centred = np.concatenate([early - early.mean(), late - late.mean()])
    independent = dot(centred, centred) / series.size
    long_run = max(long_run_variance(centred), independent) * series.size / (series.size - 2)
    error = math.sqrt(long_run * (1 / early.size + 1 / late.size))
    return float(late.mean() - early.mean()) / error if error > 0 else 0.0


def long_run_variance(centred: Float64s) -> float:
    """γ0 + 2 Σ (1 − k/(m+1)) γ_k, never negative, with the bandwidth m of Newey & West 1994."""
    n = centred.size
    longest = min(max(math.floor(4 * (n / 100) ** (2 / 9)), 1), n - 1)
    covariance = _covariances(centred, longest)
    lags = np.arange(1, longest + 1)
    zeroth = covariance[0] + 2 * covariance[1:].sum()
    first = 2 * dot(lags, covariance[1:])
    if zeroth == 0:
        return float(covariance[0])
    bandwidth = min(math.floor(_BARTLETT * math.cbrt((first / zeroth) ** 2) * math.cbrt(n)), n - 1)
    weights = 1 - np.arange(1, bandwidth + 1) / (bandwidth + 1)
    return float(covariance[0] + 2 * dot(weights, _covariances(centred, bandwidth)[1:]))


def block_length_reason(plan: Plan) -> str:
    """How the block length was come by, in words."""
    match plan.model:
        case Model.IID:
            return "trades are drawn one by one"
        case Model.DAY:
            return "days are drawn whole, whatever their length"
        case Model.NORMAL | Model.STUDENT_T:
            return "trades are drawn one by one from a fitted distribution"
        case Model.STATIONARY | Model.CIRCULAR:
            if plan.spec.settings.block_length is not None:
                return "as asked for"
            if not _judged(plan.history.pnl_minor):
                return "1, as the history is too short or too constant to judge dependence"
            return (
                "automatic, by how long trades of the history depend on each other"
                " (Politis & White 2004, Patton, Politis & White 2009)"
            )


def age_of(trades: Trades, as_of: datetime | None) -> timedelta | None:
    """How long ago the latest trade was closed, at the present that the settings name."""
    return None if as_of is None else as_of - trades[-1].closed_at


def _judged(series: npt.NDArray[np.generic]) -> bool:
    return series.size >= FEWEST and bool(np.ptp(series) > 0)


def _covariances(centred: Float64s, longest: int) -> Float64s:
    n = centred.size
    return np.array([dot(centred[lag:], centred[: n - lag]) for lag in range(longest + 1)]) / n
