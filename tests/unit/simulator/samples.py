"""A small account with a made-up history, for tests of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from simulator import engine
from simulator.engine import Plan
from simulator.spec import Account, DrawdownKind, MaxDrawdown, MinimumDays, Rules, Settings, Spec
from simulator.trades import Trade, Trades

MORNING = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
DAYS = ((120, -80), (35,), (-150, 90, 10), (60, 60), (-40,))
START = 10_000
RULES = Rules(
    starting_balance_minor=START,
    max_drawdown=MaxDrawdown(kind=DrawdownKind.TRAILING_END_OF_DAY, allowance_minor=400, lock_minor=START),
    target_minor=START + 500,
    minimum_days=MinimumDays(days=3),
)
FRESH = Account(balance_minor=START, high_water_mark_minor=START)


def trades_of(days: Sequence[Sequence[int]]) -> Trades:
    """Trades with these P&Ls, a second apart, on consecutive days."""
    return Trades.of(
        Trade(closed_at=MORNING + timedelta(days=day, seconds=second), pnl_minor=pnl)
        for day, pnls in enumerate(days)
        for second, pnl in enumerate(pnls)
    )


def plan_of(
    settings: Settings,
    *,
    days: Sequence[Sequence[int]] = DAYS,
    rules: Rules = RULES,
    account: Account = FRESH,
) -> Plan:
    """The plan of a simulation of this account."""
    return engine.plan(Spec(trades=trades_of(days), rules=rules, account=account, settings=settings), "ab" * 32)
