"""Bins on the device: the keys of `simulator.histogram`, where they cost next to nothing."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from simulator.histogram import EXACT_BITS


class Bins(NamedTuple):
    """The keys of two figures of each path, int32[paths]."""

    final_pnl: jax.Array
    max_drawdown: jax.Array


def keys_of(values: jax.Array) -> jax.Array:
    """The key of each int32 value."""
    magnitude = jnp.abs(values)
    bits = jnp.int32(32) - lax.clz(magnitude)
    shift = jnp.maximum(bits - jnp.int32(EXACT_BITS + 1), jnp.int32(0))
    return jnp.asarray(jnp.sign(values) * ((shift << jnp.int32(EXACT_BITS)) + (magnitude >> shift)))
