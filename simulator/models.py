"""How futures are drawn from the history: which trade comes next on each path, and whether it ends the path's day.

iid         Each trade is drawn on its own (Efron 1979).
day         Each day is drawn whole and its trades are played in order.
stationary  Blocks of geometric length with mean L, wrapping round (Politis & Romano 1994): a block begins anew with
            probability 1/L, else the next trade of the history follows.

One 32-bit word serves each trade. An index is the upper half of word x n, so it is uniform to 2^-32. The stationary
bootstrap begins a block when word < T = 2^32/L, and such a word is itself uniform below T, so the same word gives the
index, uniform to n L / 2^32 (`simulator.spec.MAX_INDEX_SPREAD` bounds n L).

Days are as long as in the history, or of a fixed number of trades. As in the history: for day, the drawn day's own
length; for stationary, a path's day ends with a trade that ended its day; for iid, lengths are drawn from those of the
history, by the hazard of ending after k trades against the lower half of word x n, which is independent of the index.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from simulator.spec import Model


class Tables(NamedTuple):
    """The history on the device, padded to shape buckets, and the model's numbers; arrays or scalars, all traced.

    packed: int32[trades], 2 x pnl + (last of its day); day_start: uint32[days]; hazard: uint32[longest day], chance in
    2^-32 that a day ends after k+1 trades; restart_below, restart_scale: T and n 2^32 / T of the stationary bootstrap,
    the first less one.
    """

    packed: jax.Array
    trades: jax.Array
    day_start: jax.Array
    days: jax.Array
    hazard: jax.Array
    longest_day: jax.Array
    restart_below: jax.Array
    restart_scale: jax.Array
    trades_per_day: jax.Array


class Draw(NamedTuple):
    """Where each path is in the history; a scalar that stands still where the model has no use for it.

    cursor: uint32[paths], the latest trade; day_over: bool[paths]; in_day: int32[paths] or int32[], trades of this day.
    """

    cursor: jax.Array
    day_over: jax.Array
    in_day: jax.Array


def multiply_high(word: jax.Array, scale: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Upper and lower 32 bits of the 64-bit product: a uniform number below `scale`, and its uniform remainder."""
    product = word.astype(jnp.uint64) * scale.astype(jnp.uint64)
    return (product >> jnp.uint64(32)).astype(jnp.uint32), product.astype(jnp.uint32)


def begin(model: Model, *, fixed_days: bool, tables: Tables, word: jax.Array) -> Draw:
    """Before the first trade. `word` uint32[paths] gives the stationary bootstrap its starting point."""
    paths = word.shape
    idle = Draw(cursor=jnp.uint32(0), day_over=jnp.bool_(False), in_day=jnp.int32(0))  # noqa: FBT003 — a value
    match model:
        case Model.IID:
            return idle if fixed_days else idle._replace(in_day=jnp.zeros(paths, jnp.int32))
        case Model.DAY:
            return idle._replace(cursor=jnp.zeros(paths, jnp.uint32), day_over=jnp.ones(paths, jnp.bool_))
        case Model.STATIONARY:
            return idle._replace(cursor=multiply_high(word, tables.trades)[0])


def next_trade(
    model: Model, *, fixed_days: bool, tables: Tables, draw: Draw, word: jax.Array
) -> tuple[Draw, jax.Array, jax.Array]:
    """The next trade of each path: (draw, pnl int32[paths], end of day bool[paths], or bool[] if days are fixed)."""
    match model:
        case Model.IID:
            cursor, remainder = multiply_high(word, tables.trades)
            pnl, _ = _take(tables, cursor)
            if fixed_days:
                return _count_to_fixed(tables, draw, pnl)
            return _end_by_hazard(tables, draw, pnl, remainder)
        case Model.DAY:
            return _next_of_day(tables, draw, word)
        case Model.STATIONARY:
            return _next_of_block(tables, draw, word, fixed_days=fixed_days)


def _take(tables: Tables, cursor: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The P&L of each path's trade, and whether it was the last of its day in the history."""
    packed = tables.packed.at[cursor].get(mode="promise_in_bounds")
    return packed >> jnp.int32(1), (packed & jnp.int32(1)) == jnp.int32(1)


def _count_to_fixed(tables: Tables, draw: Draw, pnl: jax.Array) -> tuple[Draw, jax.Array, jax.Array]:
    in_day = draw.in_day + jnp.int32(1)
    over = in_day >= tables.trades_per_day
    return draw._replace(in_day=jnp.where(over, jnp.int32(0), in_day)), pnl, over


def _end_by_hazard(
    tables: Tables, draw: Draw, pnl: jax.Array, remainder: jax.Array
) -> tuple[Draw, jax.Array, jax.Array]:
    hazard = tables.hazard.at[draw.in_day.astype(jnp.uint32)].get(mode="promise_in_bounds")
    in_day = draw.in_day + jnp.int32(1)
    over = (remainder < hazard) | (in_day >= tables.longest_day)
    return draw._replace(in_day=jnp.where(over, jnp.int32(0), in_day)), pnl, over


def _next_of_day(tables: Tables, draw: Draw, word: jax.Array) -> tuple[Draw, jax.Array, jax.Array]:
    day, _ = multiply_high(word, tables.days)
    start = tables.day_start.at[day].get(mode="promise_in_bounds")
    cursor = jnp.where(draw.day_over, start, draw.cursor + jnp.uint32(1))
    pnl, over = _take(tables, cursor)
    return draw._replace(cursor=cursor, day_over=over), pnl, over


def _next_of_block(
    tables: Tables, draw: Draw, word: jax.Array, *, fixed_days: bool
) -> tuple[Draw, jax.Array, jax.Array]:
    fresh, _ = multiply_high(word, tables.restart_scale)
    following = draw.cursor + jnp.uint32(1)
    following = jnp.where(following >= tables.trades, jnp.uint32(0), following)
    cursor = jnp.where(word <= tables.restart_below, fresh, following)
    draw = draw._replace(cursor=cursor)
    pnl, over = _take(tables, cursor)
    return _count_to_fixed(tables, draw, pnl) if fixed_days else (draw, pnl, over)
