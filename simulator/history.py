"""The trade history as the kernel reads it: trading days by a wall-clock reset, and flat integer arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from simulator.spec import Trade, TradingDay

NOON = time(12, 0)


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


def trading_day(at: datetime, zone: ZoneInfo, reset: time) -> date:
    """The trading day of an instant; a day begins when the wall clock first reads `reset`.

    A day that begins at noon or later is named for the next date, as futures exchanges do.
    """
    local = at.astimezone(zone)
    begun = local.time() >= reset or _already_read_before_clocks_went_back(local, at, reset)
    first_date = local.date() if begun else local.date() - timedelta(days=1)
    return first_date + timedelta(days=1) if reset >= NOON else first_date


def _already_read_before_clocks_went_back(local: datetime, at: datetime, reset: time) -> bool:
    if not local.fold:
        return False
    return datetime.combine(local.date(), reset, local.tzinfo).astimezone(UTC) <= at


def build_history(trades: Sequence[Trade], day: TradingDay) -> History:
    """The history of `trades`, which stand in close order and are at least one."""
    zone = ZoneInfo(day.time_zone)
    dates = [trading_day(trade.closed_at, zone, day.reset_time) for trade in trades]
    ordinals = np.fromiter((each.toordinal() for each in dates), np.int64, len(dates))
    starts = np.flatnonzero(np.diff(ordinals, prepend=-1)).astype(np.int32)
    return History(
        pnl_minor=np.fromiter((trade.pnl_minor for trade in trades), np.int32, len(trades)),
        day_start=starts,
        day_trades=np.diff(starts, append=np.int32(len(trades))).astype(np.int32),
        first_day=dates[0],
        last_day=dates[-1],
        mae_minor=_all_known([trade.mae_minor for trade in trades]),
        mfe_minor=_all_known([trade.mfe_minor for trade in trades]),
        duplicates=len(trades) - len(set(trades)),
    )


def _all_known(amounts: Sequence[int | None]) -> npt.NDArray[np.int32] | None:
    known = [amount for amount in amounts if amount is not None]
    return np.array(known, np.int32) if len(known) == len(amounts) else None
