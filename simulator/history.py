"""The trade history as the kernel reads it: trading days, and flat integer arrays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from simulator.spec import TradingDay
from simulator.trades import UNKNOWN, Trades
from simulator.trading_days import trading_days


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """Trades in close order, and the days they fall into.

    `pnl_minor` int32[trades]; `day_start` int32[days], the first trade of each day; `day_trades` int32[days];
    `mae_minor`, `mfe_minor` int32[trades], or None where a trade's is not known. `duplicates`: trades that equal an
    earlier one in time and amounts.
    """

    pnl_minor: npt.NDArray[np.int32]
    day_start: npt.NDArray[np.int32]
    day_trades: npt.NDArray[np.int32]
    first_day: date
    last_day: date
    mae_minor: npt.NDArray[np.int32] | None = None
    mfe_minor: npt.NDArray[np.int32] | None = None
    duplicates: int = 0

    @property
    def trades(self) -> int:
        """Trades in the history."""
        return int(self.pnl_minor.size)

    @property
    def days(self) -> int:
        """Trading days with a trade."""
        return int(self.day_start.size)

    @property
    def last_of_day(self) -> npt.NDArray[np.bool_]:
        """bool[trades]: whether a trade is the last of its day."""
        flags = np.zeros(self.trades, np.bool_)
        flags[self.day_start + self.day_trades - 1] = True
        return flags

    @property
    def hazard(self) -> npt.NDArray[np.float64]:
        """float64[longest day]: the share of the days of more than k trades that had k + 1."""
        ending = np.bincount(self.day_trades)[1:]
        return np.asarray(ending / ending[::-1].cumsum()[::-1])


def build_history(trades: Trades, day: TradingDay) -> History:
    """The history of `trades`, which are at least one."""
    ordinals = trading_days(trades.closed_at, ZoneInfo(day.time_zone), day.reset_time)
    starts = np.flatnonzero(np.diff(ordinals, prepend=-1)).astype(np.int32)
    return History(
        pnl_minor=trades.pnl_minor,
        day_start=starts,
        day_trades=np.diff(starts, append=np.int32(len(trades))).astype(np.int32),
        first_day=date.fromordinal(int(ordinals[0])),
        last_day=date.fromordinal(int(ordinals[-1])),
        mae_minor=_if_all_known(trades.mae_minor),
        mfe_minor=_if_all_known(trades.mfe_minor),
        duplicates=trades.duplicates,
    )


def _if_all_known(amounts: npt.NDArray[np.int32]) -> npt.NDArray[np.int32] | None:
    return None if (amounts == UNKNOWN).any() else amounts
