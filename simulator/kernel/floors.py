"""The floors: where they are, how they trail, and where a trade that falls through one is closed."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from simulator.kernel.overlays import Traded
from simulator.kernel.shares import below, floor_below
from simulator.kernel.standing import State, deposited, held, scaled
from simulator.levels import Levels
from simulator.shape import Features
from simulator.spec import DrawdownKind, FloorAfterPayout


def drawdown_floor(features: Features, levels: Levels, state: State) -> jax.Array:
    """The floor of the maximum drawdown."""
    floor = _trailing(features, levels, state) if features.trails else _static(features, levels, state)
    if features.payouts is None or features.payouts.floor_after is not FloorAfterPayout.START:
        return floor
    return jnp.where(state.payouts > jnp.int32(0), levels.start_floor, floor)


def _static(features: Features, levels: Levels, state: State) -> jax.Array:
    floor = scaled(features, state, levels.floor, -levels.allowance_step)
    follows = features.payouts is not None and features.payouts.floor_after is FloorAfterPayout.FOLLOW
    return floor - state.withdrawn if follows else floor


def _trailing(features: Features, levels: Levels, state: State) -> jax.Array:
    if levels.peak_share is None:
        return jnp.minimum(levels.lock, scaled(features, state, state.trail, -levels.allowance_step))
    return jnp.minimum(levels.lock, floor_below(levels.peak_share, state.trail, deposited(levels, state)))


def trailed(levels: Levels, state: State, seen: jax.Array, when: jax.Array) -> jax.Array:
    """The trail after the balance `seen`, `when` that counts; it never falls."""
    return jnp.maximum(state.trail, jnp.where(when, seen - levels.allowance, state.trail))


def daily_floor(features: Features, levels: Levels, state: State) -> jax.Array:
    """The floor of the day."""
    if levels.anchor_share is not None:
        return floor_below(levels.anchor_share, _anchor(features, levels, state), deposited(levels, state))
    depth = levels.daily_floor
    if features.open_equity:
        depth = jnp.where(state.day == jnp.int32(1), levels.first_daily_floor, depth)
    return _opened(features, state) + scaled(features, state, depth, -levels.daily_step)


def _opened(features: Features, state: State) -> jax.Array:
    """What was held at the start of the day."""
    return state.day_open if features.payouts is None else state.day_open - state.withdrawn


def _anchor(features: Features, levels: Levels, state: State) -> jax.Array:
    """What a day's loss is counted from, where the limit is a share of it."""
    opened = _opened(features, state)
    if not features.open_equity:
        return opened
    return opened + jnp.where(state.day == jnp.int32(1), levels.anchor_raise, jnp.int32(0))


def close_trade(features: Features, levels: Levels, state: State, traded: Traded) -> jax.Array:
    """The balance after the trade: one whose low fell through a floor was closed there, see `_cut`."""
    closed = state.balance + scaled(features, state, traded.pnl, traded.step_pnl)
    if not features.excursions or traded.low is None:
        return closed
    before = held(features, state)
    low = before + scaled(features, state, traded.low, traded.step_low)
    floor, reached = _met_first(features, levels, state, traded, before)
    cut = jnp.minimum(reached, floor - jnp.int32(1)) + (state.balance - before)
    return jnp.where(low < floor, cut, closed)


def _met_first(
    features: Features, levels: Levels, state: State, traded: Traded, before: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The floor that falling equity meets first, the maximum drawdown's if they are one, and from how high it can have
    fallen: from the trade's high if the floor trails it, else from the balance before. A balance that was below the
    floor already is not lifted to it.
    """
    if features.drawdown is None:
        return daily_floor(features, levels, state), before
    floor = drawdown_floor(features, levels, state)
    trails = features.drawdown is DrawdownKind.TRAILING_INTRADAY
    reached = seen_high(features, state, traded, before) if trails else before
    if features.daily_loss is None:
        return floor, reached
    day = daily_floor(features, levels, state)
    return jnp.maximum(day, floor), jnp.where(day > floor, before, reached) if trails else before


def seen_high(features: Features, state: State, traded: Traded, before: jax.Array) -> jax.Array:
    """The highest balance of the trade, open profit included where it is known; `before`: what was held before it."""
    if not features.excursions or traded.high is None:
        return before + scaled(features, state, traded.pnl, traded.step_pnl)
    return before + scaled(features, state, traded.high, traded.step_high)


def below_floor(features: Features, levels: Levels, state: State) -> jax.Array:
    """Whether the balance is below the floor of the maximum drawdown."""
    holds = held(features, state)
    if levels.peak_share is None or not features.trails:
        return holds < drawdown_floor(features, levels, state)
    found = (holds < levels.lock) & below(levels.peak_share, state.trail, deposited(levels, state), holds)
    if features.payouts is None or features.payouts.floor_after is not FloorAfterPayout.START:
        return found
    return jnp.where(state.payouts > jnp.int32(0), holds < levels.start_floor, found)


def below_daily_floor(features: Features, levels: Levels, state: State) -> jax.Array:
    """Whether the balance is below the floor of the day."""
    holds = held(features, state)
    if levels.anchor_share is None:
        return holds < daily_floor(features, levels, state)
    return below(levels.anchor_share, _anchor(features, levels, state), deposited(levels, state), holds)
