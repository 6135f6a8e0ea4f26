"""Which trading day an instant belongs to: a day begins when the wall clock first reads its reset time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from simulator.trades import EPOCH, MICROSECOND, Int64s, instant

NOON: Final = time(12, 0)
DAY: Final = timedelta(days=1)
A_DAY: Final = DAY // MICROSECOND
FIRST: Final = EPOCH.toordinal()
ZONE_DAYS: Final = 1 << 16
"""Days of zones whose offset is remembered."""


def trading_day(at: datetime, zone: ZoneInfo, reset: time) -> date:
    """The trading day of an instant. A day that begins at noon or later is named for the next date, as futures
    exchanges do.
    """
    local = at.astimezone(zone)
    begun = local.time() >= reset or _already_read_before_clocks_went_back(local, at, reset)
    first_date = local.date() if begun else local.date() - DAY
    return first_date + DAY if reset >= NOON else first_date


def trading_days(closed_at: Int64s, zone: ZoneInfo, reset: time) -> Int64s:
    """The `trading_day` of each instant, in microseconds since 1970, as an ordinal of `date`.

    Arithmetic where the clocks stood still on the instant's day and the one before, in UTC; else one by one.
    """
    days, of_day = np.unique(closed_at // A_DAY, return_inverse=True)
    offsets = [_offset(zone, day) for day in days.tolist()]
    known = np.array([each is not None for each in offsets], np.bool_)[of_day]
    local = closed_at + np.array([each or 0 for each in offsets], np.int64)[of_day]
    since_midnight = timedelta(hours=reset.hour, minutes=reset.minute, seconds=reset.second)
    found = FIRST + (local - since_midnight // MICROSECOND) // A_DAY + int(reset >= NOON)
    for index in np.flatnonzero(~known).tolist():
        found[index] = trading_day(instant(int(closed_at[index])), zone, reset).toordinal()
    return np.asarray(found, np.int64)


@lru_cache(maxsize=ZONE_DAYS)
def _offset(zone: ZoneInfo, day: int) -> int | None:
    """Microseconds that the zone was ahead of UTC, all through this day since 1970 and the one before; else None."""
    try:
        seen = {(EPOCH + each * DAY).astimezone(zone).utcoffset() for each in (day - 1, day, day + 1)}
    except OverflowError:
        return None
    offset = seen.pop()
    return None if seen or offset is None else offset // MICROSECOND


def _already_read_before_clocks_went_back(local: datetime, at: datetime, reset: time) -> bool:
    if not local.fold:
        return False
    return datetime.combine(local.date(), reset, local.tzinfo).astimezone(UTC) <= at
