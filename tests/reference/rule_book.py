"""The account rules applied to one path, one trade at a time, in plain Python integers.

Written from the definitions of the rules alone (the comments of rules.proto and result.proto), never from the
engine, so that the two can disagree. Order of tests after each trade: running peak, floor of the maximum drawdown,
floor of the day, target with its minimum days; at the end of a day: trailing update, then the time limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.spec import Account, BreachOperator, DrawdownKind, MinimumDays, Rules

PASSED, BREACHED_MAX_DRAWDOWN, BREACHED_DAILY_LOSS, EXPIRED = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How one path ended; money in minor units. closes: balance less that at the start, after each day it used."""

    outcome: int
    final_pnl: int
    max_drawdown: int
    days: int
    trades: int
    closes: tuple[int, ...]


@dataclass(slots=True, kw_only=True)
class Path:
    """Where a path stands between two trades."""

    rules: Rules
    start: int
    balance: int
    opening_balance: int
    highest_close: int
    highest_equity: int
    path_peak: int
    qualified_days: int
    max_drawdown: int = 0
    trades: int = 0

    def trade(self, pnl: int) -> int | None:
        """Books a trade; the outcome if it ends the path."""
        self.balance += pnl
        self.trades += 1
        self.path_peak = max(self.path_peak, self.balance)
        self.max_drawdown = max(self.max_drawdown, self.path_peak - self.balance)
        self.highest_equity = max(self.highest_equity, self.balance)
        floor = drawdown_floor(self.rules, self.highest_close, self.highest_equity)
        if breaches(self.balance, floor, self.rules.breach):
            return BREACHED_MAX_DRAWDOWN
        if breaches(self.balance, daily_floor(self.rules, self.opening_balance), self.rules.breach):
            return BREACHED_DAILY_LOSS
        return PASSED if passes(self.balance, self.qualified_days + self.qualifies_today(), self.rules) else None

    def qualifies_today(self) -> int:
        """1 if the day as it stands counts towards the minimum days, else 0."""
        return 1 if qualifies(self.balance - self.opening_balance, self.rules.minimum_days) else 0

    def close_day(self) -> None:
        """The trailing update at the end of a day."""
        self.highest_close = max(self.highest_close, self.balance)
        self.qualified_days += self.qualifies_today()
        self.opening_balance = self.balance


def play(days: Sequence[Sequence[int]], rules: Rules, account: Account) -> Ending:
    """The end of an account traded through these days, each the P&Ls of its trades; the last day is the horizon."""
    path, closes = begin(rules, account), []
    for day in days:
        outcome = next((end for end in map(path.trade, day) if end is not None), None)
        closes.append(path.balance - path.start)
        path.close_day()
        days_used = account.days_traded + len(closes)
        if outcome is None and rules.time_limit_days is not None and days_used >= rules.time_limit_days:
            outcome = EXPIRED
        if outcome is not None:
            return ending(path, outcome, closes)
    return ending(path, EXPIRED, closes)


def begin(rules: Rules, account: Account) -> Path:
    """The path before its first trade, at the end of a trading day."""
    highest = max(rules.starting_balance_minor, account.high_water_mark_minor, account.balance_minor)
    return Path(
        rules=rules,
        start=account.balance_minor,
        balance=account.balance_minor,
        opening_balance=account.balance_minor,
        highest_close=highest,
        highest_equity=highest,
        path_peak=account.balance_minor,
        qualified_days=account.qualifying_days,
    )


def ending(path: Path, outcome: int, closes: Sequence[int]) -> Ending:
    """What the path yields."""
    return Ending(
        outcome=outcome,
        final_pnl=path.balance - path.start,
        max_drawdown=path.max_drawdown,
        days=len(closes),
        trades=path.trades,
        closes=tuple(closes),
    )


def drawdown_floor(rules: Rules, highest_close: int, highest_equity: int) -> int | None:
    """The balance the maximum drawdown may not reach, or None without that rule."""
    rule = rules.max_drawdown
    if rule is None:
        return None
    reference = {
        DrawdownKind.STATIC: rules.starting_balance_minor,
        DrawdownKind.TRAILING_END_OF_DAY: highest_close,
        DrawdownKind.TRAILING_INTRADAY: highest_equity,
    }[rule.kind]
    floor = reference - rule.allowance_minor
    return floor if rule.lock_minor is None else min(floor, rule.lock_minor)


def daily_floor(rules: Rules, opening_balance: int) -> int | None:
    """The balance a day's loss may not reach, or None without that rule."""
    return None if rules.daily_loss is None else opening_balance - rules.daily_loss.limit_minor


def breaches(balance: int, floor: int | None, operator: BreachOperator) -> bool:
    """Whether the balance is at or below (or only below) the floor."""
    if floor is None:
        return False
    return balance <= floor if operator is BreachOperator.AT_OR_BELOW else balance < floor


def qualifies(profit: int, rule: MinimumDays | None) -> bool:
    """Whether a traded day with this profit counts towards the minimum days."""
    return rule is None or rule.min_profit_minor is None or profit >= rule.min_profit_minor


def passes(balance: int, qualified_days: int, rules: Rules) -> bool:
    """Whether the target is reached with enough qualifying days."""
    if rules.target_minor is None or balance < rules.target_minor:
        return False
    return rules.minimum_days is None or qualified_days >= rules.minimum_days.days
