"""What passes: the target, qualifying days, consistency, and the phases of an assessment."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from simulator.kernel.shares import at_most_share
from simulator.kernel.standing import OPENING, WAITING, State, code, of_phase, put_where
from simulator.levels import Levels
from simulator.shape import Features, Pass
from simulator.spec import REACH


def day_profit(state: State) -> jax.Array:
    """What this day has made so far."""
    return state.balance - state.day_open


def counted(features: Features, levels: Levels, state: State) -> jax.Array:
    """The qualifying days with this one, if it qualifies as it stands."""
    enough = day_profit(state) >= of_phase(features, levels.phase.min_profit, state)
    return state.qualifying + enough.astype(jnp.int32)


def best_day(state: State) -> jax.Array:
    """The best day's profit, this one a candidate as it stands."""
    return jnp.maximum(state.best_day, day_profit(state))


def passes(features: Features, levels: Levels, state: State) -> jax.Array:
    """Whether the target is reached, with enough qualifying days, and consistently."""
    reached = state.balance >= of_phase(features, levels.phase.target, state)
    match features.passes:
        case Pass.DAYS:
            first = of_phase(features, levels.phase.first_pass_day, state)
            reached &= state.day - state.phase_open >= first
        case Pass.PROFITABLE_DAYS:
            reached &= counted(features, levels, state) >= jnp.int32(0)
        case _:
            pass
    return reached & consistent(features, levels, state) if features.best_day else reached


def consistent(features: Features, levels: Levels, state: State) -> jax.Array:
    """Whether the best day made no more than its share of the profit over the starting balance."""
    share = of_phase(features, levels.phase.best_day_ppm, state)
    return at_most_share(best_day(state), share, state.balance - levels.start)


def last_day(features: Features, levels: Levels, state: State) -> jax.Array:
    """The simulated day that ends the path: the horizon, or the time limit of the phase under way if that is nearer."""
    if not features.phases:
        return levels.horizon_days
    limit = state.phase_open + of_phase(features, levels.phase.last_day, state)
    return jnp.minimum(levels.horizon_days, jnp.where(code(state) == jnp.int32(WAITING), levels.horizon_days, limit))


def count_day(features: Features, levels: Levels, state: State, over: jax.Array) -> State:
    """Where the day is over: the qualifying days and the best one, this day included."""
    if features.counts_days:
        enough = day_profit(state) >= of_phase(features, levels.phase.min_profit, state)
        state = state._replace(qualifying=state.qualifying + (over & enough).astype(jnp.int32))
    if features.keeps_best_day:
        made = jnp.where(over, day_profit(state), jnp.int32(0))
        state = state._replace(best_day=jnp.maximum(state.best_day, made))
    return state


def open_phase(levels: Levels, state: State) -> State:
    """Where a phase opens with this trade: a fresh account. Its counts have begun anew already.

    A peak that left REACH is kept, for `rules.left_reach`.
    """
    opens = state.end == jnp.int32(OPENING)
    kept = opens & (state.peak <= jnp.int32(REACH))
    return state._replace(
        balance=put_where(levels, opens, levels.start, state.balance),
        peak=jnp.where(kept, levels.start, state.peak),
        end=jnp.where(opens, jnp.int32(0), state.end),
    )


def next_phase(features: Features, levels: Levels, state: State) -> State:
    """Where the next phase opens tomorrow: nothing is counted yet, and the floor is that of a fresh account."""
    opens = state.end == jnp.int32(OPENING)
    state = state._replace(phase_open=put_where(levels, opens, state.day, state.phase_open))
    if features.trails:
        state = state._replace(trail=put_where(levels, opens, levels.fresh_trail, state.trail))
    if features.opens_days:
        state = state._replace(day_open=put_where(levels, opens, levels.start, state.day_open))
    if features.counts_days:
        begin = of_phase(features, levels.phase.qualifying, state)
        state = state._replace(qualifying=put_where(levels, opens, begin, state.qualifying))
    if features.keeps_best_day:
        state = state._replace(best_day=put_where(levels, opens, jnp.int32(0), state.best_day))
    return state
