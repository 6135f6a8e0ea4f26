"""Where each path stands: with `simulator.shape` and `simulator.levels`, what the rules are functions of.

Amounts are balances less the balance at the start of the path, in minor units. A path's `balance` is counted as if
nothing had been withdrawn or deposited, so its changes are profits and losses: the account holds
start + balance - withdrawn + steps x deposit. Floors are compared with balance - withdrawn, since a deposit raises them
as well. They are exclusive: a balance below the floor breaches; "at or below" is the same test, one minor unit higher.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import jax
import jax.numpy as jnp

from simulator.levels import Levels
from simulator.shape import Features

CODE_BITS: Final = 3
"""`State.end` is 0 while a path trades, else (trades drawn so far << CODE_BITS) + code, plus ENDED if it has ended."""
ENDED: Final = -(1 << 31)
PASSED: Final = 1
"""The codes of an end are 1 + `simulator.tally.Outcome`; those of a path that lives come after them."""
BREACHED_MAX_DRAWDOWN: Final = 2
BREACHED_DAILY_LOSS: Final = 3
EXPIRED: Final = 4
PAUSED: Final = 5
"""No more trades today."""
WAITING: Final = 6
"""A phase was passed today; the next one opens with the next day."""
OPENING: Final = 7
"""The next phase opens with the next trade."""
NEVER_OPENS: Final = -1
"""`State.phase_open` where the horizon came before the phase that was reached could open."""
CODES: Final = (1 << CODE_BITS) - 1
FEW: Final = 4
"""So many entries are compared one by one."""


class State(NamedTuple):
    """Where each path stands, int32[paths]; a scalar that stands still where the rule is off.

    peak: highest closed balance, the start included; end: 0, or why and since when it does not trade; trades: int32[],
    drawn by the paths that live; day: the simulated day, from 1, int32[] if all paths share it.
    trail: of the floor, see `Levels`; day_open: balance at the start of the day; qualifying: qualifying days, 0 being
    enough; phase: from 0, opened at the end of the day phase_open, or NEVER_OPENS. paid: the trader's part of
    withdrawn; payout_day, payout_balance: day and balance at the last payout; steps: of scaling; period_end: last day
    of the period, int32[] if all paths share it; period_balance: at its start; skipped: trades drawn but not taken.
    """

    balance: jax.Array
    peak: jax.Array
    max_drawdown: jax.Array
    end: jax.Array
    trades: jax.Array
    day: jax.Array
    trail: jax.Array
    day_open: jax.Array
    qualifying: jax.Array
    best_day: jax.Array
    phase: jax.Array
    phase_open: jax.Array
    withdrawn: jax.Array
    paid: jax.Array
    payouts: jax.Array
    payout_day: jax.Array
    payout_balance: jax.Array
    steps: jax.Array
    period_end: jax.Array
    period_balance: jax.Array
    skipped: jax.Array
    paused_days: jax.Array


def fresh(features: Features, levels: Levels, shape: tuple[int, ...], *, shared_day: bool) -> State:
    """The state before the first trade."""
    zero, opening, payouts = jnp.zeros(shape, jnp.int32), levels.opening, features.payouts

    def word(on: bool, start: jax.Array | int = 0) -> jax.Array:  # noqa: FBT001 — a private shorthand
        start = jnp.asarray(start, jnp.int32)
        return zero + start if on else start

    return State(
        balance=zero,
        peak=zero,
        max_drawdown=zero,
        end=zero,
        trades=jnp.int32(0),
        day=word(not shared_day, 1),
        trail=word(features.trails, opening.trail),
        day_open=word(features.opens_days),
        qualifying=word(features.counts_days, opening.qualifying),
        best_day=word(features.keeps_best_day, opening.best_day),
        phase=word(features.phases, opening.phase),
        phase_open=word(features.phases),
        withdrawn=word(payouts is not None),
        paid=word(payouts is not None and payouts.splits),
        payouts=word(payouts is not None, opening.payouts),
        payout_day=word(payouts is not None, opening.payout_day),
        payout_balance=word(payouts is not None and payouts.best_day, opening.payout_balance),
        steps=word(features.scaling),
        period_end=word(features.scaling and not shared_day, levels.scaling.every_days if levels.scaling else 0),
        period_balance=word(features.scaling),
        skipped=word(features.skips),
        paused_days=word(features.pauses),
    )


def held(features: Features, state: State) -> jax.Array:
    """What the account holds: the balance less what was withdrawn."""
    return state.balance if features.payouts is None else state.balance - state.withdrawn


def scaled(features: Features, state: State, amount: jax.Array, step: jax.Array | None) -> jax.Array:
    """The amount after the steps of scaling that the account has made."""
    return amount if not features.scaling or step is None else amount + state.steps * step


def deposited(levels: Levels, state: State) -> jax.Array:
    """What scaling has added to the balance."""
    return jnp.int32(0) if levels.scaling is None else state.steps * levels.scaling.deposit


def shown(features: Features, levels: Levels, state: State) -> jax.Array:
    """The account's balance as its holder sees it, less that at the start of the path."""
    return held(features, state) + deposited(levels, state)


def put_where(levels: Levels, where: jax.Array, new: jax.Array, old: jax.Array) -> jax.Array:
    """`new` where that holds, else `old`.

    LLVM turns a choice that is stored over one of its sides into a store through a mask, which takes some CPUs ten
    times as long. It does not where something is added to that side, which it cannot know to be 0.
    """
    return jnp.where(where, new, old + levels.zero)


def of_phase(features: Features, level: jax.Array, state: State) -> jax.Array:
    """The number that holds in the path's phase."""
    return pick(level, state.phase) if features.phases else level


def pick(ladder: jax.Array, at: jax.Array) -> jax.Array:
    """The entry of each path, `at` from 0, the last for all beyond. A few are compared: that is faster than a table."""
    rungs = ladder.shape[0]
    if rungs > FEW:
        return ladder.at[jnp.minimum(at, jnp.int32(rungs - 1)).astype(jnp.uint32)].get(mode="promise_in_bounds")
    found = jnp.broadcast_to(ladder[0], at.shape)
    for rung in range(1, rungs):
        found = jnp.where(at >= jnp.int32(rung), ladder[rung], found)
    return found


def code(state: State) -> jax.Array:
    """Why a path does not trade; 0 if it does."""
    return jnp.asarray(state.end & jnp.int32(CODES))


def living(state: State) -> jax.Array:
    """Whether each path goes on."""
    return jnp.asarray(state.end >= jnp.int32(0))


def stamp(state: State, what: int) -> jax.Array:
    """The word of a path that stops so with this trade."""
    ended = ENDED if what <= EXPIRED else 0
    return jnp.asarray((state.trades << jnp.int32(CODE_BITS)) + jnp.int32(ended + what))


def stamped(state: State) -> jax.Array:
    """The trades drawn when the path stopped, for the day or for good."""
    return jnp.asarray((state.end & jnp.int32(~ENDED)) >> jnp.int32(CODE_BITS))
