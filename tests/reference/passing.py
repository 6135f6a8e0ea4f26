"""What passes a phase, and when its time is up."""

from __future__ import annotations

from typing import NamedTuple

from simulator.spec import MinimumDays
from tests.reference.standing import MILLION, Standing


class Calendar(NamedTuple):
    """The pace of the history: calendar days from its first to its last day, both counted, and its trading days."""

    calendar_days: int
    trading_days: int


def passes(account: Standing) -> bool:
    """Whether the phase is passed by the balance as it stands."""
    return reached(account) and has_its_days(account) and consistent(account)


def reached(account: Standing) -> bool:
    """Whether the balance is at the target."""
    target = account.step.target_minor
    return target is not None and account.balance >= target + account.deposits


def has_its_days(account: Standing) -> bool:
    """Whether enough days qualify, the day under way included as it stands."""
    rule = account.step.minimum_days
    return rule is None or account.qualifying + qualifies(account.today, rule) >= rule.days


def qualifies(profit: int, rule: MinimumDays | None) -> bool:
    """Whether a traded day with this profit qualifies."""
    return rule is None or rule.min_profit_minor is None or profit >= rule.min_profit_minor


def consistent(account: Standing) -> bool:
    """Whether no day, the one under way included, made too much of the profit over the starting balance."""
    ppm = account.step.best_day_ppm
    best_day = max(account.best_day, account.today)
    return ppm is None or best_day * MILLION <= ppm * (account.balance - account.starting_balance)


def calendar_day(trading_day: int, used: int, pace: Calendar) -> int:
    """The calendar day on which the nth trading day from here falls."""
    return used + 1 + (trading_day - 1) * pace.calendar_days // pace.trading_days


def time_is_up(account: Standing, pace: Calendar) -> bool:
    """At the end of a day: whether no further trading day is within the time limits of the phase."""
    trading, calendar = account.step.time_limit_days, account.step.time_limit_calendar_days
    if trading is not None and account.days >= trading:
        return True
    return calendar is not None and calendar_day(account.days_here + 1, account.calendar_days, pace) > calendar
