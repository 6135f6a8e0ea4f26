"""Crontab lines in a time zone, and the date for which a time that is due stands."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

GRACE = timedelta(hours=1)
"""A time that was due this long ago is still served."""

_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")


def cron_trigger(cron: str, zone: ZoneInfo) -> CronTrigger:
    """The trigger of a crontab line, in which 0 and 7 are Sunday. Raises ValueError with what is wrong."""
    minute, hour, day, month, weekday = cron.split()
    named = ",".join(_named(part) for part in weekday.split(","))
    return CronTrigger(minute=minute, hour=hour, day=day, month=month, day_of_week=named, timezone=zone)


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


def logical_date(trigger: CronTrigger, now: datetime, zone: ZoneInfo) -> date:
    """The date, in the zone, of the latest time due within the grace before `now`; of `now` if there is none."""
    local = now.astimezone(zone)
    due = trigger.get_next_fire_time(None, local - GRACE)
    latest = local
    while due is not None and due <= local:
        latest = due
        due = trigger.get_next_fire_time(due, due)
    return latest.date()
