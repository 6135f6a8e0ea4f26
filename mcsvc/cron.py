"""Crontab lines in a time zone, and which of their times is due."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

_FIRST_WINDOW = timedelta(hours=1)  # looked through for the latest time due; doubled while there is none
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")


def cron_trigger(cron: str, zone: ZoneInfo) -> CronTrigger:
    """The trigger of a crontab line, in which 0 and 7 are Sunday. Raises ValueError with what is wrong.

    A line that names days of the month and weekdays is refused: cron takes days that are either, the trigger both.
    """
    minute, hour, day, month, weekday = cron.split()
    if not day.startswith("*") and not weekday.startswith("*"):
        raise ValueError("name days of the month or weekdays, and give * for the other")
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


def next_due(trigger: CronTrigger, after: datetime) -> datetime:
    """The first time due after this one, in the trigger's zone."""
    local = after.astimezone(trigger.timezone)
    due: datetime = trigger.get_next_fire_time(local, local)
    return due


def latest_due(trigger: CronTrigger, now: datetime, *, within: timedelta) -> datetime | None:
    """The latest time due by `now` and less than `within` before it, in the trigger's zone. None if there is none."""
    window = min(_FIRST_WINDOW, within)
    while True:
        latest = _latest_after(trigger, now - window, now)
        if latest is not None or window == within:
            return latest
        window = min(2 * window, within)


def _latest_after(trigger: CronTrigger, start: datetime, now: datetime) -> datetime | None:
    latest, due = None, next_due(trigger, start)
    while due <= now:
        latest, due = due, next_due(trigger, due)
    return latest
