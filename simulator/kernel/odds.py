"""Weighted draws on the device, and the odds that each path carries for them; `simulator.tilting` says why.

Compiled in only for the runs of `simulator.rare`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import jax
import jax.numpy as jnp

from simulator.tables import Tilt

NEVER: Final = 2**31 - 1
"""Trades before the weights of a path begin to count that never do: no path has so many."""


class Odds(NamedTuple):
    """step: int32[], trades so far; begins: int32[paths], trades before a path's draws are weighted; total:
    float64[paths], over the moments so far, of the odds, tilted to plain, of all draws since.
    """

    step: jax.Array
    begins: jax.Array
    total: jax.Array


def begin(tilt: Tilt, number: jax.Array) -> Odds:
    """Before the first trade; `number` int32[paths] is the way of each path, uniform below `ways`."""
    moment = number // tilt.at_a_start
    begins = jnp.where(moment < tilt.starts, moment * tilt.stride, jnp.int32(NEVER))
    return Odds(step=jnp.int32(0), begins=begins, total=jnp.zeros(number.shape, jnp.float64))


def weighted(tilt: Tilt, odds: Odds, index: jax.Array, word: jax.Array) -> jax.Array:
    """The draw that a uniform one becomes; the same where the path's weights do not count yet."""
    row = _at(tilt.alias, index)
    chosen = jnp.where(word < row.astype(jnp.uint32), index, (row >> jnp.uint64(32)).astype(jnp.uint32))
    return jnp.where(odds.step >= odds.begins, chosen, index)


def after_trade(tilt: Tilt, odds: Odds, index: jax.Array, fresh: jax.Array) -> Odds:
    """After a trade; `fresh` bool[paths] or bool[]: it, or the block or day that it begins, was drawn: as `index`."""
    moment = (odds.step % tilt.stride == jnp.int32(0)) & (odds.step // tilt.stride < tilt.starts)
    total = odds.total + moment.astype(jnp.float64)
    return odds._replace(step=odds.step + jnp.int32(1), total=jnp.where(fresh, total * _at(tilt.ratio, index), total))


def of_living(now: Odds, before: Odds, living: jax.Array) -> Odds:
    """The odds of a path stand still once it has ended."""
    return now._replace(total=jnp.where(living, now.total, before.total))


def _at(table: jax.Array, index: jax.Array) -> jax.Array:
    return table.at[index].get(mode="promise_in_bounds")
