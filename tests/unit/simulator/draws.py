"""What the models draw, without any account: the trades of many paths, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from simulator import engine, loading, rng
from simulator.engine import Plan
from simulator.kernel import models
from simulator.kernel.block import SECOND_STREAM, START
from simulator.spec import (
    Account,
    DailyLoss,
    DrawdownKind,
    MaxDrawdown,
    Rules,
    Scaling,
    Settings,
    Spec,
)
from simulator.trades import Trade, Trades

MORNING = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
WIDE = 10**8
Amounts = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Each [steps, paths]: the amounts of the trades, whether a trade was the last of its day, and after it the odds of
    a weighted plan as they are found.
    """

    trades: models.Traded
    over: npt.NDArray[np.bool_]
    odds: npt.NDArray[np.float64]

    @property
    def pnl(self) -> Amounts:
        """The P&L."""
        return np.asarray(self.trades.pnl)

    @property
    def low(self) -> Amounts:
        """min(MAE, P&L)."""
        return np.asarray(self.trades.low)

    @property
    def high(self) -> Amounts:
        """max(MFE, P&L)."""
        return np.asarray(self.trades.high)

    @property
    def first(self) -> npt.NDArray[np.bool_]:
        """Whether a trade was the first of its day."""
        return np.vstack([np.ones_like(self.over[:1]), self.over[:-1]])

    @property
    def day(self) -> npt.NDArray[np.int64]:
        """The day of a trade, from 1."""
        return self.first.cumsum(axis=0)


def planned(
    days: Sequence[Sequence[int | tuple[int, int, int]]],
    settings: Settings,
    *,
    kind: DrawdownKind = DrawdownKind.TRAILING_INTRADAY,
    scaling: Scaling | None = None,
    daily_limit: int = WIDE,
) -> Plan:
    """A plan on days of trades: P&Ls, or P&L with MAE and MFE; the account is wide enough for all of them."""
    rules = Rules(
        starting_balance_minor=2 * WIDE,
        max_drawdown=MaxDrawdown(kind=kind, allowance_minor=WIDE),
        daily_loss=DailyLoss(limit_minor=daily_limit),
        scaling=scaling,
    )
    trades = Trades.of(
        trade_of(MORNING + timedelta(days=number, seconds=second), amounts)
        for number, day in enumerate(days)
        for second, amounts in enumerate(day)
    )
    account = Account(balance_minor=2 * WIDE, high_water_mark_minor=2 * WIDE)
    return engine.plan(Spec(trades=trades, rules=rules, account=account, settings=settings), "5a" * 32)


def trade_of(at: datetime, amounts: int | tuple[int, int, int]) -> Trade:
    """A trade of this P&L, or P&L, MAE and MFE."""
    if isinstance(amounts, int):
        return Trade(closed_at=at, pnl_minor=amounts)
    pnl, mae, mfe = amounts
    return Trade(closed_at=at, pnl_minor=pnl, mae_minor=mae, mfe_minor=mfe)


def drawn(plan: Plan, paths: int, steps: int) -> Drawn:
    """The first trades of the first paths, whatever they lose."""
    fixed = plan.spec.settings.trades_per_day is not None
    guided, daily = plan.weighting is not None and plan.weighting.within_a_day, plan.spec.rules.daily_loss
    room = opening = jnp.full(paths, daily.limit_minor if daily else 0, jnp.int32)
    tables = loading.tables(plan)
    index = np.arange(paths, dtype=np.uint32)
    found: list[Any] = []
    with jax.enable_x64(True):
        word, second = words(plan, index, START)
        third, _ = words(plan, index, START - 1)
        state = models.begin(plan.model, fixed_days=fixed, tables=tables, word=word, second=second, third=third)
        step = jax.jit(partial(models.next_trade, plan.model, fixed_days=fixed))
        for pair in range(-(-steps // 2)):
            both = zip(words(plan, index, pair), words(plan, index, pair + SECOND_STREAM), strict=True)
            for word, second in both:
                more = models.Second(word=second, room=room if guided else None)
                state, traded, over = step(tables=tables, draw=state, word=word, second=more)
                room = jnp.where(over, opening, room + traded.pnl)
                odds = jnp.ones(paths) if state.odds is None else state.odds.found
                found.append((traded, jnp.broadcast_to(over, (paths,)), odds))
        trades, over, odds = jax.tree.map(lambda *each: np.stack(each)[:steps], *found)
    return Drawn(trades=trades, over=over, odds=odds)


def words(plan: Plan, index: npt.NDArray[np.uint32], pair: int) -> list[jax.Array]:
    """The two words of a pair of steps for each path."""
    first, second = rng.path_key(plan.seed, 0)
    found = rng.threefry2x32((np.full(1, first), np.full(1, second)), (index, np.full(1, pair, np.uint32)))
    return [jnp.asarray(each) for each in found]
