"""Crontab lines in a time zone, and which of their times is due."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

GRACE = timedelta(hours=1)
"""A time that was due this long ago is still served."""

_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")


def cron_trigger(cron: str, zone: ZoneInfo) -> CronTrigger:
    """The trigger of a crontab line, in which 0 and 7 are Sunday. Raises ValueError with what is wrong."""
    minute, hour, day, month, weekday = cron.split()
    named = ",".join(_named(part) for part in weekday.split(","))
    trigger = CronTrigger(minute=minute, hour=hour, day=day, month=month, day_of_week=named, timezone=zone)
    if trigger.get_next_fire_time(None, _ANY_TIME) is None:
        raise ValueError("no day is ever like that")
    return trigger


def _named(part: str) -> str:
    """One part of a weekday field by names: crontab counts from Sunday, the trigger from Monday."""
    match = re.fullmatch(r"([0-7])(?:-([0-7])(?:/(\d+))?)?", part)
    if match is None:
        return part
    first, last, step = match.groups()
    days = range(int(first), int(last or first) + 1, int(step or 1))
    if not days:
        raise ValueError(f"the weekdays {part} are in the wrong order")
    return ",".join(_WEEKDAYS[day] for day in days)


def due_time(trigger: CronTrigger, now: datetime, zone: ZoneInfo) -> datetime:
    """The latest time due within the grace before `now`, in the zone; if there is none, the start of `now`'s day."""
    local = now.astimezone(zone)
    due = trigger.get_next_fire_time(None, local - GRACE)
    latest = local.replace(hour=0, minute=0, second=0, microsecond=0)
    while due is not None and due <= local:
        latest = due
        due = trigger.get_next_fire_time(due, due)
    return latest
