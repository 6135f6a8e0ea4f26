"""Lanes: a block's paths side by side. A loop visits them a tile at a time, and keeps those that still live together.

Any pytree will do: an array has an entry a lane, a scalar is shared by all lanes.
"""

from __future__ import annotations

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


def moved(lanes: Leaves, order: jax.Array) -> Leaves:
    """Lane i becomes what lane `order[i]` was; int32[lanes], a permutation."""

    def of(leaf: jax.Array) -> jax.Array:
        return leaf.at[order].get(mode="promise_in_bounds", unique_indices=True) if leaf.ndim else leaf

    found: Leaves = jax.tree.map(of, lanes)
    return found


def inverse(order: jax.Array) -> jax.Array:
    """The permutation that undoes `order`."""
    lane = lax.iota(jnp.int32, order.size)
    return jnp.zeros_like(lane).at[order].set(lane, mode="promise_in_bounds", unique_indices=True)


def living_first(living: jax.Array) -> jax.Array:
    """The permutation that puts the living before the others and keeps both in their order; `living` is bool[lanes]."""
    before = _before(living)
    count = before[-1] + living[-1].astype(jnp.int32)
    place = jnp.where(living, before, count + lax.iota(jnp.int32, living.size) - before)
    return inverse(place)


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
