"""The trading day of an instant, by a walk through the minutes before it: no rule for changing clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

LOOK_BACK = timedelta(days=2)
MINUTE = timedelta(minutes=1)


def trading_day(at: datetime, zone: ZoneInfo, reset: time) -> date:
    """The latest date whose day has begun: whose clock has read the reset or later, on that date."""
    minute = at.astimezone(UTC).replace(second=0, microsecond=0)
    begun = date.min
    while minute > at - LOOK_BACK:
        local = minute.astimezone(zone)
        if local.time() >= reset:
            begun = max(begun, local.date())
        minute -= MINUTE
    return begun
