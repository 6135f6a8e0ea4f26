"""Reads the quantiles of a fitted distribution on the device, in whole numbers; `simulator.quantiles` defines them."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from simulator.kernel.once import once
from simulator.quantiles import CELL_BITS, OCTAVES, REST_BITS
from simulator.tables import Curve


def read(curve: Curve, word: jax.Array) -> jax.Array:
    """The amount of each word, int32[paths] in minor units.

    In three parts, of which the first and the last are done with vectors.
    """
    always = curve.digits >= jnp.int64(0)
    cell, rest = once(always, _place, word)
    packed = once(always, partial(_at, curve), cell)
    return once(always, partial(_between, curve), packed, rest)


def _place(word: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The cell, and how far into it, in 2^-REST_BITS."""
    upper = word >> jnp.uint32(31)
    odd = (jnp.where(upper == jnp.uint32(0), word, ~word) << jnp.uint32(1)) | jnp.uint32(1)
    zeros = jax.lax.clz(odd)
    first_bit_up = odd << zeros
    octave = upper * jnp.uint32(OCTAVES) + jnp.uint32(OCTAVES - 1) - zeros
    in_octave = (first_bit_up >> jnp.uint32(REST_BITS)) & jnp.uint32((1 << CELL_BITS) - 1)
    return (octave << jnp.uint32(CELL_BITS)) + in_octave, first_bit_up & jnp.uint32((1 << REST_BITS) - 1)


def _at(curve: Curve, cell: jax.Array) -> jax.Array:
    return jnp.asarray(curve.packed).at[cell].get(mode="promise_in_bounds")


def _between(curve: Curve, packed: jax.Array, rest: jax.Array) -> jax.Array:
    value, change = packed >> jnp.int64(32), packed.astype(jnp.int32).astype(jnp.int64)
    digits = curve.digits + jnp.int64(REST_BITS)
    half = jnp.int64(1) << (digits - jnp.int64(1))
    rounded: jax.Array = ((value << jnp.int64(REST_BITS)) + change * rest.astype(jnp.int64) + half) >> digits
    return rounded.astype(jnp.int32)
