"""Weighted draws on the device, and the odds that each path carries for them; `simulator.tilting` says why.

Compiled in only for the runs of `simulator.rare`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import jax
import jax.numpy as jnp

from simulator.tables import Restart, Tilt

TWO_32: Final = 1 << 32

NEVER: Final = 2**31 - 1
"""Trades before the weights of a path begin to count that never do: no path has so many."""


class Days(NamedTuple):
    """Of weights that count within a day. over: int32[paths], days that have ended; odds: float64[paths], the sum of
    the odds, tilted to plain, of the draws of each.
    """

    over: jax.Array
    odds: jax.Array


class Odds(NamedTuple):
    """step: int32[], trades so far; begins: int32[paths], trades, or days, before a path's draws are weighted; total:
    float64[paths], over the moments so far, of the odds, tilted to plain, of all draws since; of this day's draws where
    weights count within a day, and `days` are those before.
    """

    step: jax.Array
    begins: jax.Array
    total: jax.Array
    days: Days | None

    @property
    def found(self) -> jax.Array:
        """The sum over the moments so far, less the number of days, float64[paths]."""
        if self.days is None:
            return self.total
        return self.days.odds + self.total - self.days.over.astype(jnp.float64)


def begin(tilt: Tilt, number: jax.Array) -> Odds:
    """Before the first trade; `number` int32[paths] is the way of each path, uniform below `ways`."""
    moment, nothing = number // tilt.at_a_start, jnp.zeros(number.shape, jnp.float64)
    never, step = moment >= tilt.starts, jnp.int32(0)
    if tilt.stride is None:
        days = Days(over=jnp.zeros_like(number), odds=nothing)
        return Odds(step=step, begins=jnp.where(never, jnp.int32(NEVER), moment), total=nothing + 1, days=days)
    begins = jnp.where(never, jnp.int32(NEVER), moment * tilt.stride)
    return Odds(step=step, begins=begins, total=nothing, days=None)


def first_of_row(tilt: Tilt, size: int, room: jax.Array | None, in_day: jax.Array) -> jax.Array:
    """Where in the tables the row of each path begins, uint32[paths] or uint32[]. size: of a row; room: int32[paths],
    what a loss must come to for a breach of the day's limit; None without rows.
    """
    if tilt.rooms is None or room is None:
        return jnp.asarray(jnp.uint32(0))
    rooms = tilt.rooms
    least = jnp.maximum(room, jnp.int32(0)).astype(jnp.uint64) + rooms.offset.astype(jnp.uint64)
    cell = (least * rooms.scale >> jnp.uint64(32)).astype(jnp.int32)
    band = jnp.int32(0)
    for begin in range(1, rooms.begins.size):
        band += (in_day >= rooms.begins[begin]).astype(jnp.int32)
    row = band * rooms.cells + jnp.minimum(cell, rooms.cells - jnp.int32(1))
    return jnp.asarray(row.astype(jnp.uint32) * jnp.uint32(size))


def weighted(tilt: Tilt, odds: Odds, first: jax.Array, index: jax.Array, word: jax.Array) -> jax.Array:
    """The draw that a uniform one becomes; the same where the path's weights do not count now. first: as of
    `first_of_row`.
    """
    row = _at(tilt.alias, first + index)
    chosen = jnp.where(word < row.astype(jnp.uint32), index, (row >> jnp.uint64(32)).astype(jnp.uint32))
    return jnp.where(_count(odds), chosen, index)


def after_draw(tilt: Tilt, odds: Odds, index: jax.Array, fresh: jax.Array) -> Odds:
    """After a trade; `fresh` bool[paths] or bool[]: it, or the block or day that it begins, was drawn: as `index`, in
    its row.
    """
    total = _begun(tilt, odds)
    return _after_trade(odds, jnp.where(fresh, total * _at(tilt.ratio, index), total))


def after_block(
    tilt: Tilt, restart: Restart, odds: Odds, *, below: jax.Array, index: jax.Array, begins: jax.Array
) -> Odds:
    """After a trade of the stationary bootstrap. below: as of `restart_below` with weights; begins: bool[paths], the
    trade is the first of a block, drawn as `index`, in its row.
    """
    chance = below.astype(jnp.float64) + jnp.float64(1)
    anew = chance * restart.begins * _at(tilt.ratio, index)
    ratio = jnp.where(begins, anew, (jnp.float64(TWO_32) - chance) * restart.goes_on)
    return _after_trade(odds, _begun(tilt, odds) * ratio)


def restart_below(restart: Restart, odds: Odds, cursor: jax.Array, plain: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A block begins after these trades, in their rows, when a word is not above this, uint32[paths]: with weights, and
    as each path has it, which is `plain` where they do not count now.
    """
    below = _at(restart.below, cursor)
    return below, jnp.where(_count(odds), below, plain)


def after_day(odds: Odds, over: jax.Array) -> Odds:
    """After a trade; `over` bool[paths] or bool[]: it was the last of its day."""
    if odds.days is None:
        return odds
    ended = odds.days.odds + jnp.where(over, odds.total, jnp.float64(0))
    days = Days(over=odds.days.over + over.astype(jnp.int32), odds=ended)
    return odds._replace(total=jnp.where(over, jnp.float64(1), odds.total), days=days)


def _count(odds: Odds) -> jax.Array:
    """Whether a path's weights count now, bool[paths]."""
    return jnp.asarray(odds.step >= odds.begins if odds.days is None else odds.days.over == odds.begins)


def _begun(tilt: Tilt, odds: Odds) -> jax.Array:
    """The total, with 1 more for a moment at which weights may begin to count."""
    if tilt.stride is None:
        return odds.total
    moment = (odds.step % tilt.stride == jnp.int32(0)) & (odds.step // tilt.stride < tilt.starts)
    return jnp.asarray(odds.total + moment.astype(jnp.float64))


def _after_trade(odds: Odds, total: jax.Array) -> Odds:
    return odds._replace(step=odds.step + jnp.int32(1), total=total)


def of_living(now: Odds, before: Odds, living: jax.Array) -> Odds:
    """The odds of a path stand still once it has ended."""
    total = jnp.where(living, now.total, before.total)
    if now.days is None or before.days is None:
        return now._replace(total=total)
    over = jnp.where(living, now.days.over, before.days.over)
    return now._replace(total=total, days=Days(over=over, odds=jnp.where(living, now.days.odds, before.days.odds)))


def _at(table: jax.Array, index: jax.Array) -> jax.Array:
    return table.at[index].get(mode="promise_in_bounds")
