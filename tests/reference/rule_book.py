"""The account rules applied to one path, one trade at a time, in plain Python integers and fractions.

Written from docs/rule-book.md and the comments of the protos alone, never from the engine, so that the two can
disagree. What stands in this file is the order of things; each rule is a small function of `floors`, `passing` or
`funded`, and the state they act on is a `Standing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from simulator.spec import Account, DailyAction, DrawdownKind, Rules
from tests.reference import floors, funded, passing
from tests.reference.passing import Calendar
from tests.reference.standing import Standing, fresh, present, sized

PASSED, BREACHED_MAX_DRAWDOWN, BREACHED_DAILY_LOSS, EXPIRED = range(4)

EVERY_DAY = Calendar(calendar_days=1, trading_days=1)


class Deal(NamedTuple):
    """One closed trade in minor units: its P&L and, where known, its worst and best open P&L."""

    pnl: int
    mae: int | None = None
    mfe: int | None = None


Day = Sequence[Deal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How one path ended; money in minor units. closes: balance less that at the start, after each day it used.

    phase: the last that was reached, from 0; skipped: trades of its days that were not taken; paid: to the trader.
    """

    outcome: int
    final_pnl: int
    max_drawdown: int
    days: int
    trades: int
    closes: tuple[int, ...]
    skipped: int = 0
    phase: int = 0
    paid: int = 0
    payouts: int = 0
    paused_days: int = 0


@dataclass(slots=True, kw_only=True)
class Path:
    """One path: the account of the phase under way, and what is counted over all phases."""

    account: Standing
    excursions: bool
    pace: Calendar
    outcome: int | None = None
    trades: int = 0
    skipped: int = 0
    paid: int = 0
    paused_days: int = 0
    largest_fall: int = 0
    balances: list[int] = field(default_factory=list)


def play(
    days: Iterable[Day], rules: Rules, account: Account, *, excursions: bool = False, pace: Calendar = EVERY_DAY
) -> Ending:
    """The end of an account traded through these days; the last of them is the horizon."""
    path = Path(account=present(rules, account), excursions=excursions, pace=pace)
    for day in days:
        trade_through(path, day)
        if path.outcome is None and not path.account.passed:
            end_day(path)
        path.balances.append(path.account.balance)
        if path.outcome is not None:
            break
        if path.account.passed:
            path.account = fresh(rules, path.account.phase + 1)
    return ending(path, start=account.balance_minor, payouts_before=account.payouts)


def excursions_used(history: Iterable[Day], rules: Rules, *, wanted: bool) -> bool:
    """Whether breaches are looked for within trades: every trade must tell what that needs."""
    rule = rules.max_drawdown
    needs_mfe = rule is not None and rule.kind is DrawdownKind.TRAILING_INTRADAY
    deals = [deal for day in history for deal in day]
    known = all(deal.mae is not None and (deal.mfe is not None or not needs_mfe) for deal in deals)
    return wanted and known


def trade_through(path: Path, day: Day) -> None:
    """The trades of a day, until the path ends; those after a pause or the pass of a phase are not taken."""
    resting = False
    for deal in day:
        if resting:
            path.skipped += 1
            continue
        path.trades += 1
        resting = trade(path, deal)
        if path.outcome is not None:
            return


def trade(path: Path, deal: Deal) -> bool:
    """Takes one trade; whether the rest of the day is not traded."""
    account = path.account
    low, high, after = trade_range(path, deal)
    if floors.trails_at_once(account):
        account.peak = max(account.peak, high)
    found = counting_breach(path, low)
    account.balance = after if found is None or not path.excursions else closed_at(account, found, high)
    note_fall(path)
    paused = found is not None and suffer(path, found[0])
    if path.outcome is None and passing.passes(account):
        pass_phase(path)
    path.paused_days += paused and not account.passed
    return paused or account.passed


def trade_range(path: Path, deal: Deal) -> tuple[int, int, int]:
    """The lowest and highest balance within a trade, and the one after it."""
    account = path.account
    after = account.balance + sized(account, deal.pnl)
    if not path.excursions:
        return after, after, after
    assert deal.mae is not None
    low = account.balance + min(sized(account, deal.mae), sized(account, deal.pnl))
    high = account.balance + max(sized(account, deal.mfe or 0), sized(account, deal.pnl))
    return low, high, after


def counting_breach(path: Path, low: int) -> tuple[str, Fraction] | None:
    """The breach that counts: the first that is tested or, within a trade, the one that came first."""
    found = floors.breached(path.account, low)
    if not found or not path.excursions:
        return found[0] if found else None
    # `max` gives the first of equals: the maximum drawdown.
    return max(found, key=lambda each: floors.highest_in_breach(each[1], path.account.rules.breach))


def closed_at(account: Standing, found: tuple[str, Fraction], high: int) -> int:
    """Where a trade is closed that fell through a floor: there, but not above where equity was."""
    name, level = found
    moves = name == floors.MAX_DRAWDOWN and floors.trails_at_once(account)
    return min(floors.highest_in_breach(level, account.rules.breach), high if moves else account.balance)


def suffer(path: Path, floor: str) -> bool:
    """Ends the path for a breach, or pauses the day: whether it is paused."""
    rule = path.account.rules.daily_loss
    if floor == floors.MAX_DRAWDOWN:
        path.outcome = BREACHED_MAX_DRAWDOWN
        return False
    assert rule is not None
    if rule.action is DailyAction.FAIL:
        path.outcome = BREACHED_DAILY_LOSS
        return False
    return True


def pass_phase(path: Path) -> None:
    """The last phase passed is the assessment passed."""
    path.account.passed = True
    if path.account.phase == len(path.account.rules.steps) - 1:
        path.outcome = PASSED


def note_fall(path: Path) -> None:
    """The largest fall of the P&L of one phase from its running peak."""
    account = path.account
    account.highest_earned = max(account.highest_earned, account.earned)
    path.largest_fall = max(path.largest_fall, account.highest_earned - account.earned)


def end_day(path: Path) -> None:
    """The end of a day on which nothing ended and no phase was passed."""
    account = path.account
    if floors.trails_overnight(account):
        account.peak = max(account.peak, account.balance)
    count_day(account)
    path.paid += funded.pay_out(account)
    funded.scale(account)
    if passing.time_is_up(account, path.pace) or funded.all_paid(account):
        path.outcome = EXPIRED
    account.opening = account.anchor = account.balance


def count_day(account: Standing) -> None:
    """The day counts for the time limits, may qualify and may be the best one."""
    account.days += 1
    account.days_here += 1
    account.qualifying += passing.qualifies(account.today, account.step.minimum_days)
    account.best_day = max(account.best_day, account.today)
    funded.count_for_payout(account)


def ending(path: Path, *, start: int, payouts_before: int) -> Ending:
    """What the path yields; one that has not ended by the horizon has expired."""
    return Ending(
        outcome=EXPIRED if path.outcome is None else path.outcome,
        final_pnl=path.account.earned,
        max_drawdown=path.largest_fall,
        days=len(path.balances),
        trades=path.trades,
        closes=tuple(balance - start for balance in path.balances),
        skipped=path.skipped,
        phase=path.account.phase,
        paid=path.paid,
        payouts=path.account.payouts - payouts_before,
        paused_days=path.paused_days,
    )
