"""Bins on the device, as of `simulator.bins.Binned`, where they cost next to nothing."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from simulator.bins import EXACT_BITS


def binned(values: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The key of each int32 value above -2^31, and its excess."""
    magnitude = jnp.abs(values)
    bits = jnp.int32(32) - lax.clz(magnitude)
    shift = jnp.maximum(bits - jnp.int32(EXACT_BITS + 1), jnp.int32(0))
    key = jnp.sign(values) * ((shift << jnp.int32(EXACT_BITS)) + (magnitude >> shift))
    return key, magnitude & ((jnp.int32(1) << shift) - jnp.int32(1))
