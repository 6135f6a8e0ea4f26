"""The account's rules on the device: the order in which they are applied, after each trade and at the end of a day.

docs/rule-book.md says what they mean, `standing` what they are functions of; `floors`, `passing` and `funded` are the
rules, one idea a function.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from simulator.kernel import floors, funded, passing
from simulator.kernel.overlays import Traded
from simulator.kernel.standing import (
    BREACHED_DAILY_LOSS,
    BREACHED_MAX_DRAWDOWN,
    EXPIRED,
    NEVER_OPENS,
    OPENING,
    PASSED,
    PAUSED,
    WAITING,
    State,
    code,
    fresh,
    held,
    living,
    put_where,
    shown,
    stamp,
    stamped,
)
from simulator.levels import Levels
from simulator.shape import Features, Pass
from simulator.spec import REACH, DailyAction, DrawdownKind

__all__ = [
    "BREACHED_DAILY_LOSS",
    "BREACHED_MAX_DRAWDOWN",
    "EXPIRED",
    "PASSED",
    "Features",
    "Levels",
    "Pass",
    "State",
    "after_trade",
    "code",
    "final_pnl",
    "fresh",
    "left_reach",
    "living",
    "paid",
    "room_of_day",
    "shown",
    "stamp",
    "stamped",
]


def left_reach(state: State) -> jax.Array:
    """Whether any balance was ever too far from its start or its peak to be exact.

    No trade is larger than REACH, so the first such balance fits int32, and the peak or the largest fall keeps it.
    """
    return jnp.any((state.peak > jnp.int32(REACH)) | (state.max_drawdown > jnp.int32(REACH)))


def final_pnl(features: Features, levels: Levels, state: State) -> jax.Array:
    """What was made or lost; with phases, in the last one reached."""
    if not features.phases:
        return state.balance
    made = state.balance - jnp.where(state.phase_open > jnp.int32(0), levels.start, jnp.int32(0))
    return jnp.where(state.phase_open == jnp.int32(NEVER_OPENS), jnp.int32(0), made)


def paid(features: Features, state: State) -> jax.Array:
    """What the trader was paid."""
    return state.paid if features.payouts is not None and features.payouts.splits else state.withdrawn


def room_of_day(features: Features, levels: Levels, state: State) -> jax.Array:
    """The least loss that would breach the day's limit, int32[paths]."""
    return jnp.asarray(held(features, state) - floors.daily_floor(features, levels, state) + jnp.int32(1))


def after_trade(features: Features, levels: Levels, state: State, traded: Traded, over: jax.Array) -> State:
    """One trade of every path that trades; `over` bool[paths] or bool[]: it was the last of its day."""
    if features.phases:
        state = passing.open_phase(levels, state)
    trading = state.end == jnp.int32(0)
    state = take(features, levels, state, traded, trading)
    state = judge(features, levels, state, trading)
    close = partial(close_day, features, levels)
    if not features.settles:
        return close(state, over)

    def close_if_over(state: State, over: jax.Array) -> State:
        """Skipped within a day that all paths share; and what closing reads is computed once, see `once`."""
        closed: State = lax.cond(jnp.any(over), close, lambda state, _: state, state, over)
        return closed

    closed: State = lax.platform_dependent(state, over, cpu=close_if_over, default=close)
    return closed


def take(features: Features, levels: Levels, state: State, traded: Traded, trading: jax.Array) -> State:
    """The trade on the balance, the floor that trails within the day, the running peak and the largest fall from it."""
    traded = jax.tree.map(lambda each: jnp.where(trading, each, jnp.int32(0)), traded)
    if features.drawdown is DrawdownKind.TRAILING_INTRADAY:
        high = floors.seen_high(features, state, traded, held(features, state))
        state = state._replace(trail=floors.trailed(levels, state, high, trading))
    balance = floors.close_trade(features, levels, state, traded)
    peak = jnp.maximum(state.peak, balance)
    return state._replace(
        balance=balance,
        peak=peak,
        max_drawdown=jnp.maximum(state.max_drawdown, peak - balance),
        trades=state.trades + jnp.int32(1),
    )


def judge(features: Features, levels: Levels, state: State, trading: jax.Array) -> State:
    """What the trade does to its path: the last of pause, pass, daily loss and maximum drawdown that applies."""
    end = jnp.int32(0)
    if features.pauses:
        end = jnp.where(floors.below_daily_floor(features, levels, state), stamp(state, PAUSED), end)
    if features.passes is not Pass.NEVER:
        end = jnp.where(passing.passes(features, levels, state), passed(features, levels, state), end)
    if features.daily_loss is DailyAction.FAIL:
        end = jnp.where(floors.below_daily_floor(features, levels, state), stamp(state, BREACHED_DAILY_LOSS), end)
    if features.drawdown is not None:
        end = jnp.where(floors.below_floor(features, levels, state), stamp(state, BREACHED_MAX_DRAWDOWN), end)
    return state._replace(end=state.end + jnp.where(trading, end, jnp.int32(0)))


def passed(features: Features, levels: Levels, state: State) -> jax.Array:
    """The word of a path that passes: the assessment, or only this phase."""
    if not features.phases:
        return stamp(state, PASSED)
    return jnp.where(state.phase < levels.last_phase, stamp(state, WAITING), stamp(state, PASSED))


def close_day(features: Features, levels: Levels, state: State, over: jax.Array) -> State:
    """Where the day is over: trail the floor, count the day, pay out, grow, end, open the next.

    A path that has passed a phase today only waits. What no longer matters may go on changing once a path has ended.
    """
    amount = funded.payout(features, levels, state, over)
    if features.drawdown is DrawdownKind.TRAILING_END_OF_DAY:
        state = state._replace(trail=floors.trailed(levels, state, held(features, state), over))
    state = passing.count_day(features, levels, state, over)
    if amount is not None:
        state = funded.pay_out(features, levels, state, amount)
    if levels.scaling is not None:
        state = funded.grow(levels, levels.scaling, state, over)
    if features.opens_days:
        state = state._replace(day_open=put_where(levels, over, state.balance, state.day_open))
    return open_day(features, levels, state, over)


def open_day(features: Features, levels: Levels, state: State, over: jax.Array) -> State:
    """Where the day is over: the path expires, or the next day opens. The day of an ended path stands still."""
    expires = over & living(state) & (state.day >= passing.last_day(features, levels, state))
    if levels.payout is not None:
        expires |= over & living(state) & (state.payouts >= levels.payout.most)
    if features.phases:
        never = expires & (code(state) == jnp.int32(WAITING))
        state = state._replace(phase_open=jnp.where(never, jnp.int32(NEVER_OPENS), state.phase_open))
    if features.skips:
        state = resume(features, state, over)
        state = state._replace(end=put_where(levels, expires, stamp(state, EXPIRED), state.end))
    else:
        state = state._replace(end=state.end + jnp.where(expires, stamp(state, EXPIRED), jnp.int32(0)))
    if features.phases:
        state = passing.next_phase(features, levels, state)
    turns = over if state.day.ndim == 0 else over & living(state)
    return state._replace(day=state.day + turns.astype(jnp.int32))


def resume(features: Features, state: State, over: jax.Array) -> State:
    """Where the day is over: paths that took no more trades go on tomorrow, in the next phase if they passed one."""
    why = code(state)
    idle, waited = over & (why >= jnp.int32(PAUSED)), over & (why == jnp.int32(WAITING))
    go_on = jnp.where(waited, jnp.int32(OPENING), jnp.int32(0)) if features.phases else jnp.int32(0)
    paused_days = state.paused_days + (over & (why == jnp.int32(PAUSED))).astype(jnp.int32)
    return state._replace(
        end=jnp.where(idle, go_on, state.end),
        skipped=state.skipped + jnp.where(idle, state.trades - stamped(state), jnp.int32(0)),
        paused_days=paused_days if features.pauses else state.paused_days,
        phase=state.phase + waited.astype(jnp.int32) if features.phases else state.phase,
    )
