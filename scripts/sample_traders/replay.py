"""Trades an account forward under its rules, to find where it stood when it was passed, breached, or looked at last.

A small reading of the rule book, enough for the samples: money in cents, one trading day per New York date (no sample
trade closes between a rule set's reset and the next session).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from .market import NEW_YORK
from .trades import ClosedTrade

Rules = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Account:
    """An account under way; `verdict` is None while it is open, `last_close` the close of its latest trade."""

    balance: int
    high: int  # highest end-of-day balance, or highest closed balance for an intraday trailing drawdown
    days: int = 0
    good_days: int = 0
    verdict: str | None = None
    last_close: datetime | None = None


def replay(rules: Rules, trades: Sequence[ClosedTrade]) -> Account:
    """Where an account, fresh before the first of these trades, stands after them or at its verdict."""
    start = cents(rules["starting_balance"])
    account = Account(balance=start, high=start)
    for _, day in groupby(trades, key=new_york_day):
        _trade_day(account, rules, list(day))
        if account.verdict:
            break
    return account


def new_york_day(trade: ClosedTrade) -> date:
    """The trading day of a trade."""
    return trade.closed_at.astimezone(NEW_YORK).date()


def _trade_day(account: Account, rules: Rules, trades: Sequence[ClosedTrade]) -> None:
    morning, intraday = account.balance, _kind(rules).endswith("INTRADAY")
    account.days += 1
    for trade in trades:
        account.balance += trade.pnl
        account.last_close = trade.closed_at
        account.high = max(account.high, account.balance) if intraday else account.high
        account.verdict = _verdict(account, rules, morning)
        if account.verdict:
            break
    account.good_days += _qualifies(rules, account.balance - morning)
    account.high = max(account.high, account.balance)
    if account.verdict is None and account.days == rules.get("time_limit_days"):
        account.verdict = "EXPIRED"


def _verdict(account: Account, rules: Rules, morning: int) -> str | None:
    floors = [_floor(account, rules)]
    if "daily_loss" in rules:
        floors.append(morning - allowance(rules, "daily_loss"))
    below_only = rules["breach"] == "BREACH_OPERATOR_BELOW"
    if account.balance < max(floors) or (account.balance == max(floors) and not below_only):
        return "BREACHED"
    return "PASSED" if _passes(account, rules, morning) else None


def _passes(account: Account, rules: Rules, morning: int) -> bool:
    if "profit_target" not in rules:
        return False
    good_days = account.good_days + _qualifies(rules, account.balance - morning)
    target = cents(rules["starting_balance"]) + allowance(rules, "profit_target")
    return account.balance >= target and good_days >= int(rules["minimum_days"]["days"])


def _qualifies(rules: Rules, profit: int) -> bool:
    wanted = rules.get("minimum_days", {}).get("min_profit")
    return wanted is None or profit >= cents(wanted)


def _floor(account: Account, rules: Rules) -> int:
    rule = rules["max_drawdown"]
    peak = cents(rules["starting_balance"]) if _kind(rules).endswith("STATIC") else account.high
    floor = peak - allowance(rules, "max_drawdown")
    return min(floor, cents(rule["lock_balance"])) if "lock_balance" in rule else floor


def _kind(rules: Rules) -> str:
    return str(rules["max_drawdown"]["kind"])


def allowance(rules: Rules, name: str) -> int:
    """The cents of a rule given as an amount, or as percent of the starting balance."""
    rule = rules[name]
    if "amount" in rule:
        return cents(rule["amount"])
    return int(cents(rules["starting_balance"]) * Decimal(rule["percent"]) / 100)


def cents(amount: str) -> int:
    """A decimal string in cents."""
    return int(Decimal(amount) * 100)


def decimal(amount: int) -> str:
    """Cents as a decimal string."""
    return f"{Decimal(amount) / 100:.2f}"
