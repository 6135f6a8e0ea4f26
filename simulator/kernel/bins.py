"""Bins on the device: the keys of `simulator.histogram`, where they cost next to nothing."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from simulator.histogram import EXACT_BITS


def keys_of(values: jax.Array) -> jax.Array:
    """The key of each int32 value."""
    magnitude = jnp.abs(values)
    bits = jnp.int32(32) - lax.clz(magnitude)
    shift = jnp.maximum(bits - jnp.int32(EXACT_BITS + 1), jnp.int32(0))
    return jnp.asarray(jnp.sign(values) * ((shift << jnp.int32(EXACT_BITS)) + (magnitude >> shift)))
