"""The account's rules on the device: one idea a function, each from (state, this trade) to state.

All balances are relative to the path's starting balance, so only profits and losses have to fit int32. Floors are
exclusive: a balance below the floor breaches; "at or below" is the same test with the floor one minor unit higher.
The order of the tests is that of `after_trade`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp

from simulator.spec import REACH, DrawdownKind

CODE_BITS: Final = 3
"""A path's end is (trades << CODE_BITS) + 1 + outcome, the codes of `simulator.tally.Outcome`; 0 while it lives."""
PASSED: Final = 1
BREACHED_MAX_DRAWDOWN: Final = 2
BREACHED_DAILY_LOSS: Final = 3
EXPIRED: Final = 4


class Pass(Enum):
    """What a pass needs besides the target's balance."""

    NEVER = "never"
    TARGET = "target"
    DAYS = "days"
    PROFITABLE_DAYS = "profitable_days"


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Which rules are compiled in; a rule left out costs nothing."""

    drawdown: DrawdownKind | None
    daily_loss: bool
    passes: Pass

    @property
    def trails(self) -> bool:
        """Whether each path has a floor of its own."""
        return self.drawdown in {DrawdownKind.TRAILING_END_OF_DAY, DrawdownKind.TRAILING_INTRADAY}

    @property
    def opens_days(self) -> bool:
        """Whether a rule looks at the balance at the start of the day."""
        return self.daily_loss or self.passes is Pass.PROFITABLE_DAYS


class Levels(NamedTuple):
    """The rules' numbers, int32 scalars, traced; relative to the starting balance of the path.

    A trailing floor is min(lock, peak - allowance). `first_pass_day` is the first simulated day on which enough days
    have been traded; `qualifying_needed` the qualifying days still needed.
    """

    floor: jax.Array
    lock: jax.Array
    allowance: jax.Array
    daily_floor: jax.Array
    target: jax.Array
    first_pass_day: jax.Array
    qualifying_needed: jax.Array
    min_profit: jax.Array
    horizon_days: jax.Array


class State(NamedTuple):
    """Where each path stands, int32[paths]; a scalar that stands still where the rule is off.

    peak: highest closed balance, the start included; end: 0, or how and when it ended; trades: int32[], of the paths
    that live; day: the simulated day, from 1, int32[] if all paths share it; floor: of the maximum drawdown;
    day_open: balance at the start of the day.
    """

    balance: jax.Array
    peak: jax.Array
    max_drawdown: jax.Array
    end: jax.Array
    trades: jax.Array
    day: jax.Array
    floor: jax.Array
    day_open: jax.Array
    qualifying: jax.Array


def fresh(features: Features, levels: Levels, shape: tuple[int, ...], *, shared_day: bool) -> State:
    """The state before the first trade."""
    zero, off = jnp.zeros(shape, jnp.int32), jnp.int32(0)
    return State(
        balance=zero,
        peak=zero,
        max_drawdown=zero,
        end=zero,
        trades=jnp.int32(0),
        day=jnp.int32(1) if shared_day else zero + jnp.int32(1),
        floor=zero + levels.floor if features.trails else levels.floor,
        day_open=zero if features.opens_days else off,
        qualifying=zero if features.passes is Pass.PROFITABLE_DAYS else off,
    )


def after_trade(features: Features, levels: Levels, state: State, pnl: jax.Array, over: jax.Array) -> State:
    """One trade of every path that lives; `over` bool[paths] or bool[]: it was the last of its day.

    Running peak, then the floor of the maximum drawdown, the daily floor, the target; at the end of a day the trailing
    floor, the qualifying days, and the horizon.
    """
    alive = state.end == jnp.int32(0)
    state = raise_peak(book(state, jnp.where(alive, pnl, jnp.int32(0))))
    if features.drawdown is DrawdownKind.TRAILING_INTRADAY:
        state = state._replace(floor=trail_floor(state, levels))
    ends = verdict(features, levels, state, over)
    now = (state.trades << jnp.int32(CODE_BITS)) + ends
    state = state._replace(end=jnp.where(alive & (ends != jnp.int32(0)), now, state.end))
    return close_day(features, levels, state, over)


def book(state: State, pnl: jax.Array) -> State:
    """Adds the trade to the balance."""
    return state._replace(balance=state.balance + pnl, trades=state.trades + jnp.int32(1))


def raise_peak(state: State) -> State:
    """The running peak of the closed balance, and the largest fall from it."""
    peak = jnp.maximum(state.peak, state.balance)
    return state._replace(peak=peak, max_drawdown=jnp.maximum(state.max_drawdown, peak - state.balance))


def left_reach(state: State) -> jax.Array:
    """Whether any balance was ever too far from its start or its peak to be exact.

    No trade is larger than REACH, so the first such balance fits int32, and the peak or the largest fall keeps it.
    """
    return jnp.any((state.peak > jnp.int32(REACH)) | (state.max_drawdown > jnp.int32(REACH)))


def verdict(features: Features, levels: Levels, state: State, over: jax.Array) -> jax.Array:
    """How a living path ends with this trade, 0 if it does not: the first that applies, in the order of the rules."""
    ends = jnp.where(over & (state.day >= levels.horizon_days), jnp.int32(EXPIRED), jnp.int32(0))
    if features.passes is not Pass.NEVER:
        ends = jnp.where(passes(features, levels, state), jnp.int32(PASSED), ends)
    if features.daily_loss:
        ends = jnp.where(below_daily_floor(levels, state), jnp.int32(BREACHED_DAILY_LOSS), ends)
    if features.drawdown is not None:
        ends = jnp.where(below_floor(state), jnp.int32(BREACHED_MAX_DRAWDOWN), ends)
    return ends


def close_day(features: Features, levels: Levels, state: State, over: jax.Array) -> State:
    """Where the day is over: trail the floor, count the day, open the next. The day of an ended path stands still."""
    if features.drawdown is DrawdownKind.TRAILING_END_OF_DAY:
        state = state._replace(floor=jnp.where(over, trail_floor(state, levels), state.floor))
    if features.passes is Pass.PROFITABLE_DAYS:
        counted = state.qualifying + day_qualifies(levels, state)
        state = state._replace(qualifying=jnp.where(over, counted, state.qualifying))
    if features.opens_days:
        state = state._replace(day_open=jnp.where(over, state.balance, state.day_open))
    turns = over if state.day.ndim == 0 else over & (state.end == jnp.int32(0))
    return state._replace(day=state.day + turns.astype(jnp.int32))


def trail_floor(state: State, levels: Levels) -> jax.Array:
    """The floor after the balance has been seen; it never falls, and never rises above the lock."""
    return jnp.maximum(state.floor, jnp.minimum(levels.lock, state.balance - levels.allowance))


def below_floor(state: State) -> jax.Array:
    """Whether the balance is below the floor of the maximum drawdown."""
    return state.balance < state.floor


def below_daily_floor(levels: Levels, state: State) -> jax.Array:
    """Whether the day's loss from the prior end-of-day balance is beyond the limit."""
    return state.balance - state.day_open < levels.daily_floor


def day_qualifies(levels: Levels, state: State) -> jax.Array:
    """Whether this day, as it stands, has made the profit that counts; int32 0 or 1."""
    return (state.balance - state.day_open >= levels.min_profit).astype(jnp.int32)


def passes(features: Features, levels: Levels, state: State) -> jax.Array:
    """Whether the target is reached with enough qualifying days, this one counted once its condition holds."""
    reached = state.balance >= levels.target
    match features.passes:
        case Pass.DAYS:
            return reached & (state.day >= levels.first_pass_day)
        case Pass.PROFITABLE_DAYS:
            return reached & (state.qualifying + day_qualifies(levels, state) >= levels.qualifying_needed)
        case _:
            return reached
