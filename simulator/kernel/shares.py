"""Exact shares of amounts on the device, in millionths.

Products here are whole numbers below 2^53 in size, so float64 holds them exactly, and those that are divided are below
2^51, with a half added too; what is larger is beyond all that a path may hold. A vector of them is faster than one of
64-bit integers. Rules without a share have no float. A share may be ten times the whole.
"""

from __future__ import annotations

from typing import Final

import jax
import jax.numpy as jnp
from jax import lax

from simulator.levels import MILLION, Share

LOWEST: Final = 1.0 - 2.0**31
HIGHEST: Final = 2.0**31 - 1.0
WHOLE_BITS: Final = 1.5 * 2.0**52


def millionths(numerator: jax.Array) -> jax.Array:
    """⌊numerator / 10^6⌋, float64, of a whole number of at most 2^31 x 10^6 in size.

    A half more lies between two millionths, half a millionth from the next whole number at least, and the product is
    nearer to the quotient than that: it is off by at most 2^31 x 2^-52.
    """
    return jnp.floor((numerator + 0.5) * 1e-6)


def whole(number: jax.Array) -> jax.Array:
    """A whole number of float64 as int32, which it fits. A cast would look for what does not fit, at thrice the cost:
    here it is moved to where the last bits of a float64 are those of a whole number.
    """
    return lax.bitcast_convert_type(number + WHOLE_BITS, jnp.int64).astype(jnp.int32)


def part(amount: jax.Array, ppm: jax.Array) -> jax.Array:
    """So many millionths of the amount, rounded down; int32."""
    return whole(millionths(amount.astype(jnp.float64) * ppm.astype(jnp.float64)))


def at_most_share(amount: jax.Array, ppm: jax.Array, whole: jax.Array) -> jax.Array:
    """Whether the amount is at most so many millionths of the whole."""
    return amount.astype(jnp.float64) * float(MILLION) <= whole.astype(jnp.float64) * ppm


def below(share: Share, level: jax.Array, deposited: jax.Array, held: jax.Array) -> jax.Array:
    """Whether what is held is below the floor at the share below `level`, see `floor_below`.

    held < z - whole - ⌊n / 10^6⌋ asks whether n / 10^6 < z - whole - held, the right side being a whole number: nothing
    need be divided or rounded. What is too large for a float64 to be exact is beyond all that a path may hold.
    """
    return _lost(share, level, deposited) < (level - held).astype(jnp.float64) * float(MILLION)


def floor_below(share: Share, level: jax.Array, deposited: jax.Array) -> jax.Array:
    """The exclusive floor at the share below `level`, to which deposits are still to be added; int32."""
    floor = level.astype(jnp.float64) - millionths(_lost(share, level, deposited))
    return whole(jnp.clip(floor, LOWEST, HIGHEST))


def _lost(share: Share, level: jax.Array, deposited: jax.Array) -> jax.Array:
    """n + 10^6 whole, the millionths from the level to the floor. Level and deposits may sum to more than an int32."""
    moving = (level.astype(jnp.float64) + deposited.astype(jnp.float64)) * share.ppm
    return moving + (share.rest + share.whole * float(MILLION))
