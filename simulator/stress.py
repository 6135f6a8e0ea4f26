"""Stress that changes the amounts of the history: worked out on the host, exactly, before anything is drawn.

In this order, each amount rounded half to even to whole minor units after each:

volatility      P&L x becomes m + v (x - m), m the mean of the history; MAE and MFE are multiplied by v.
losses          P&L below 0 is multiplied by k, and so is every MAE, which is an open loss.
cost per trade  Is taken off P&L and MAE. MFE stays: the high comes first.

Factors count in millionths. What draws at random comes after, in `simulator.kernel.overlays`: fewer winners, then the
worst day. Both go by the amounts as they are here: a winner is a trade above 0, a loser one below, and the worst day is
the one with the lowest sum.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.history import History
from simulator.spec import REACH, Stress

MILLION: Final = 1_000_000
Int64s = npt.NDArray[np.int64]


def stressed(stress: Stress, history: History) -> History:
    """The history as futures are drawn from it, cut at REACH; `history` itself if nothing changes."""
    volatility, losses = in_millionths(stress.volatility_factor), in_millionths(stress.loss_factor)
    if (volatility, losses, stress.cost_minor) == (MILLION, MILLION, 0):
        return history
    pnl = _about_the_mean(history.pnl_minor.astype(np.int64), volatility)
    pnl = np.where(pnl < 0, times(pnl, losses), pnl) - stress.cost_minor
    mae, mfe = history.mae_minor, history.mfe_minor
    return replace(
        history,
        pnl_minor=_within_reach(pnl),
        mae_minor=None if mae is None else _within_reach(times(times(mae, volatility), losses) - stress.cost_minor),
        mfe_minor=None if mfe is None else _within_reach(times(mfe, volatility)),
    )


def stressed_amounts(stress: Stress, amounts: npt.NDArray[np.float64], mean: float) -> npt.NDArray[np.float64]:
    """The same for amounts that are not yet rounded, of a history with this mean. Keeps their order."""
    volatility, losses = (in_millionths(each) / MILLION for each in (stress.volatility_factor, stress.loss_factor))
    stretched = mean + volatility * (amounts - mean)
    return np.where(stretched < 0, stretched * losses, stretched) - stress.cost_minor


def in_millionths(factor: float) -> int:
    """A factor as it counts."""
    return round(factor * MILLION)


def times(amounts: npt.NDArray[np.integer], factor: int) -> Int64s:
    """Amounts by millionths, rounded half to even. |amount| x factor stays below 2^63."""
    return _rounded(amounts.astype(np.int64) * factor)


def _about_the_mean(pnl: Int64s, factor: int) -> Int64s:
    """m + factor (x - m): factor x + (1 - factor) S / n, whose whole millionths and their rest below one are exact."""
    if factor == MILLION:
        return pnl
    whole, rest = divmod((MILLION - factor) * int(pnl.sum()), pnl.size)
    return _rounded(pnl * factor + whole, more=rest > 0)


def _rounded(millionths: Int64s, *, more: bool = False) -> Int64s:
    """Millionths to the nearest whole, ties to even; `more`: each is in truth larger, by less than a millionth."""
    whole, rest = np.divmod(millionths, MILLION)
    tie_goes_up = more | (whole % 2 == 1)
    nearest: Int64s = whole + ((rest > MILLION // 2) | ((rest == MILLION // 2) & tie_goes_up))
    return nearest


def _within_reach(amounts: Int64s) -> npt.NDArray[np.int32]:
    return np.clip(amounts, -REACH, REACH).astype(np.int32)
