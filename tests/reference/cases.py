"""An account of 1,000 minor units, and ways to write down its days."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.spec import Account, DrawdownKind, MaxDrawdown, Rules
from tests.reference.rule_book import Deal

START = 1_000
FRESH = Account(balance_minor=START, high_water_mark_minor=START)
BARE = Rules(starting_balance_minor=START)


def days(*pnls: Iterable[int]) -> list[list[Deal]]:
    """Days of trades with these P&Ls."""
    return [[Deal(pnl) for pnl in day] for day in pnls]


def daily(pnls: Iterable[int]) -> list[list[Deal]]:
    """One trade a day."""
    return [[Deal(pnl)] for pnl in pnls]


def drawdown(kind: DrawdownKind, allowance: int, lock: int | None = None) -> MaxDrawdown:
    """A fixed allowance."""
    return MaxDrawdown(kind=kind, allowance_minor=allowance, lock_minor=lock)


def drawdown_share(kind: DrawdownKind, ppm: int, lock: int | None = None) -> MaxDrawdown:
    """A share of the peak."""
    return MaxDrawdown(kind=kind, allowance_minor=0, peak_share_ppm=ppm, lock_minor=lock)
