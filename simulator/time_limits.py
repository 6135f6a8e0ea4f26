"""Time limits, of trading days and of calendar days, as the number of trading days that are left of each phase."""

from __future__ import annotations

from simulator.history import History
from simulator.spec import Phase, Spec


def days_left(spec: Spec, history: History) -> tuple[int | None, ...]:
    """Trading days that each phase may last, None without a limit; of the phase under way, those still to come.

    The phases before it count 0. Needs an account that has not expired.
    """
    at = spec.account.phase - 1
    return tuple(_days_left(spec, history, phase, index - at) for index, phase in enumerate(spec.rules.steps))


def _days_left(spec: Spec, history: History, phase: Phase, after: int) -> int | None:
    if after < 0:
        return 0
    traded, used = (spec.account.days_traded, spec.account.calendar_days_used) if after == 0 else (0, 0)
    limits = []
    if phase.time_limit_days is not None:
        limits.append(phase.time_limit_days - traded)
    if phase.time_limit_calendar_days is not None:
        limits.append(trading_days_within(phase.time_limit_calendar_days - used, history))
    return min(limits, default=None)


def trading_days_within(calendar_days: int, history: History) -> int:
    """How many trading days fall within so many calendar days, if they come as often as in the history.

    The nth falls on calendar day 1 + ⌊(n - 1) s / d⌋, of a history of d trading days over s calendar days.
    """
    span = (history.last_day - history.first_day).days + 1
    return -(-calendar_days * history.days // span)
