"""Lanes: a block's paths side by side. A loop visits them a tile at a time, and keeps those that still live together.

Any pytree will do: an array has an entry a lane, a scalar is shared by all lanes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax

Leaves = TypeVar("Leaves")


def cut(lanes: Leaves, shared: Leaves, first: jax.Array, width: int) -> Leaves:
    """A tile: `width` lanes from lane `first` on, with the scalars of `shared`."""

    def of(leaf: jax.Array, scalar: jax.Array) -> jax.Array:
        return lax.dynamic_slice(leaf, (first,), (width,)) if leaf.ndim else scalar

    found: Leaves = jax.tree.map(of, lanes, shared)
    return found


def put(lanes: Leaves, tile: Leaves, first: jax.Array) -> Leaves:
    """The lanes with a tile put back to where it was cut; the scalars are those of the tile."""

    def of(leaf: jax.Array, part: jax.Array) -> jax.Array:
        return lax.dynamic_update_slice(leaf, part, (first,)) if leaf.ndim else part

    found: Leaves = jax.tree.map(of, lanes, tile)
    return found


def kept(
    archive: Leaves, lanes: Leaves, place: jax.Array | None, count: jax.Array, width: int
) -> tuple[Leaves, jax.Array]:
    """The archive with what the first `count` lanes, whole tiles, hold: lane i goes to entry `place[i]`, none twice, or
    without places to entry i. And `count`, which is known only then: what follows from it comes after, so XLA may do it
    in place, in the same lanes. Otherwise it copies them all.
    """
    if place is None:
        return _copied(archive, lanes, count, width)
    found: tuple[Leaves, jax.Array] = lax.platform_dependent(
        archive, lanes, place, count, cpu=_placed_one_by_one, default=partial(_placed_by_tile, width=width)
    )
    return found


def _copied(archive: Leaves, lanes: Leaves, count: jax.Array, width: int) -> tuple[Leaves, jax.Array]:
    return _steadily(archive, count, width, lambda archive, at: put(archive, cut(lanes, lanes, at, width), at))


def _placed_one_by_one(archive: Leaves, lanes: Leaves, place: jax.Array, count: jax.Array) -> tuple[Leaves, jax.Array]:
    """XLA compiles a loop without a scatter as one function, one with it as many that a scheduler calls."""

    def keep(archive: Leaves, lane: jax.Array) -> Leaves:
        return put(archive, cut(lanes, lanes, lane, 1), lax.dynamic_index_in_dim(place, lane, keepdims=False))

    return _steadily(archive, count, 1, keep)


def _placed_by_tile(
    archive: Leaves, lanes: Leaves, place: jax.Array, count: jax.Array, *, width: int
) -> tuple[Leaves, jax.Array]:
    def keep(archive: Leaves, at: jax.Array) -> Leaves:
        to = lax.dynamic_slice(place, (at,), (width,))

        def of(leaf: jax.Array, part: jax.Array) -> jax.Array:
            if not leaf.ndim:
                return part
            return leaf.at[to].set(part, mode="promise_in_bounds", unique_indices=True)

        found: Leaves = jax.tree.map(of, archive, cut(lanes, lanes, at, width))
        return found

    return _steadily(archive, count, width, keep)


def _steadily(
    archive: Leaves, count: jax.Array, width: int, keep: Callable[[Leaves, jax.Array], Leaves]
) -> tuple[Leaves, jax.Array]:
    """`keep(archive, at)` for every `width`th lane below `count`."""

    def step(held: tuple[jax.Array, Leaves]) -> tuple[jax.Array, Leaves]:
        at, archive = held
        return at + jnp.int32(width), keep(archive, at)

    done, archive = lax.while_loop(lambda held: held[0] < count, step, (jnp.int32(0), archive))
    return archive, done


def closed_up(lanes: Leaves, order: jax.Array, count: jax.Array, width: int) -> Leaves:
    """Lane i becomes what lane `order[i]` was, for the first `count` lanes, whole tiles.

    It is done in place, tile by tile: no lane may come from a tile before its own.
    """

    def close_up(number: jax.Array, lanes: Leaves) -> Leaves:
        first = number * jnp.int32(width)
        source = lax.dynamic_slice(order, (first,), (width,))

        def of(leaf: jax.Array) -> jax.Array:
            return leaf.at[source].get(mode="promise_in_bounds", unique_indices=True) if leaf.ndim else leaf

        tile: Leaves = jax.tree.map(of, lanes)
        return put(lanes, tile, first)

    found: Leaves = lax.fori_loop(jnp.int32(0), count // jnp.int32(width), close_up, lanes)
    return found


def living_first(living: jax.Array, count: jax.Array) -> jax.Array:
    """Which of the first `count` lanes comes at each place, int32[lanes], a permutation of them: the living in their
    order, then the others, the last one first. `living` is bool[lanes]; what comes beyond `count` says nothing.
    """
    found: jax.Array = lax.platform_dependent(living, count, cpu=_one_by_one, default=_side_by_side)
    return found


def _one_by_one(living: jax.Array, count: jax.Array) -> jax.Array:
    def place(lane: jax.Array, held: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        order, front, back = held
        lives = lax.dynamic_index_in_dim(living, lane, keepdims=False).astype(jnp.int32)
        at = jnp.where(lives == jnp.int32(1), front, back)
        order = lax.dynamic_update_slice(order, lane[None], (at,))
        return order, front + lives, back + lives - jnp.int32(1)

    start = (jnp.zeros(living.size, jnp.int32), jnp.int32(0), count - jnp.int32(1))
    found: tuple[jax.Array, ...] = lax.fori_loop(jnp.int32(0), count, place, start)
    return found[0]


def _side_by_side(living: jax.Array, count: jax.Array) -> jax.Array:
    lane = lax.iota(jnp.int32, living.size)
    before = _before(living & (lane < count))
    place = jnp.where(living, before, count - jnp.int32(1) - (lane - before))
    place = jnp.where(lane < count, place, lane)
    return jnp.zeros_like(lane).at[place].set(lane, mode="promise_in_bounds", unique_indices=True)


def _before(living: jax.Array) -> jax.Array:
    """How many of the living come before each lane, int32[lanes].

    Counted in rows, by a product with a triangle of ones: all numbers are whole and below 2^24, so floats are exact.
    """
    rows = living.astype(jnp.float32).reshape(-1, min(128, living.size))
    count = jnp.sum(rows, axis=1)
    before = lax.dot(rows, _triangle(rows.shape[1]), precision=lax.Precision.HIGHEST)
    before += lax.dot(count, _triangle(count.size), precision=lax.Precision.HIGHEST)[:, None]
    return before.reshape(-1).astype(jnp.int32)


def _triangle(size: int) -> jax.Array:
    """1 where the row comes before the column, else 0."""
    of = lax.iota(jnp.int32, size)
    return (of[:, None] < of[None, :]).astype(jnp.float32)
