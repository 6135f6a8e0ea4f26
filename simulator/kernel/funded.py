"""What a funded account has: payouts to the trader, and scaling. Both are looked at when a day ends."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from simulator.kernel.once import once
from simulator.kernel.passing import count_day
from simulator.kernel.shares import at_most_share, part
from simulator.kernel.standing import State, living, pick, put_where
from simulator.levels import Levels, PayoutLevels, ScalingLevels
from simulator.shape import Features, PayoutFeatures
from simulator.spec import FloorAfterPayout


def payout_due(on: PayoutFeatures, payout: PayoutLevels, state: State) -> jax.Array:
    """Whether the gates of days, of qualifying days and of consistency hold; the day is counted already."""
    due = state.day - state.payout_day >= payout.every_days
    if on.qualifying_days:
        due &= state.qualifying >= jnp.int32(0)
    if on.best_day:
        due &= at_most_share(state.best_day, payout.best_day_ppm, state.balance - state.payout_balance)
    return due


def payout_amount(on: PayoutFeatures, payout: PayoutLevels, levels: Levels, state: State) -> jax.Array:
    """What may be withdrawn, as far as the amounts go; below the least amount if nothing is."""
    holds = state.balance - state.withdrawn
    profit = holds - levels.start
    amount = jnp.minimum(holds - payout.floor, part(profit, payout.profit_share_ppm) if on.profit_share else profit)
    if on.caps:
        amount = jnp.minimum(amount, pick(payout.caps, state.payouts))
    return amount


def payout(features: Features, levels: Levels, state: State, over: jax.Array) -> jax.Array | None:
    """What is withdrawn at the end of the day, 0 on most; None without the rule. `state`: the day not counted yet."""
    on, numbers = features.payouts, levels.payout
    if on is None or numbers is None:
        return None

    def due(state: State, over: jax.Array) -> jax.Array:
        counted = count_day(features, levels, state, over)
        amount = payout_amount(on, numbers, levels, state)
        pays = over & living(state) & (amount >= numbers.least) & payout_due(on, numbers, counted)
        return jnp.where(pays, amount, jnp.int32(0))

    return once(jnp.any(over), due, state, over)


def pay_out(features: Features, levels: Levels, state: State, amount: jax.Array) -> State:
    """Withdraws the amount; where it is not 0, the counts since the last payout start anew."""
    on, numbers = features.payouts, levels.payout
    if on is None or numbers is None:
        return state
    paid = amount > jnp.int32(0)
    if on.splits:
        state = state._replace(paid=state.paid + part(amount, pick(numbers.splits_ppm, state.payouts)))
    if on.qualifying_days:
        state = state._replace(qualifying=jnp.where(paid, levels.phase.qualifying, state.qualifying))
    if on.best_day:
        state = state._replace(
            best_day=jnp.where(paid, jnp.int32(0), state.best_day),
            payout_balance=put_where(levels, paid, state.balance, state.payout_balance),
        )
    if features.trails and on.floor_after is FloorAfterPayout.FOLLOW:
        state = state._replace(trail=state.trail - amount)
    return state._replace(
        withdrawn=state.withdrawn + amount,
        payouts=state.payouts + paid.astype(jnp.int32),
        payout_day=put_where(levels, paid, state.day, state.payout_day),
    )


def grow(levels: Levels, scaling: ScalingLevels, state: State, over: jax.Array) -> State:
    """At the end of a period: one step more if enough was made in it."""
    ends = over & (state.day >= state.period_end)
    earned = state.balance - state.period_balance >= scaling.min_profit
    grows = ends & living(state) & earned & (state.steps < scaling.most_steps)
    return state._replace(
        steps=state.steps + grows.astype(jnp.int32),
        period_end=state.period_end + jnp.where(ends, scaling.every_days, jnp.int32(0)),
        period_balance=put_where(levels, ends, state.balance, state.period_balance),
    )
