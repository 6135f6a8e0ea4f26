"""The equity fan on the device: each path's balance at the end of each shown day."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from simulator.tables import Fan


def record(fan: Fan, balances: jax.Array, day: jax.Array, balance: jax.Array) -> jax.Array:
    """Writes the balance of each path into the row that its day leads to; the last trade of a shown day stays.

    day: int32[paths], or int32[] if all paths share it, which costs one row instead of a scatter.
    """
    row = fan.row_of_day.at[day.astype(jnp.uint32)].get(mode="clip")
    if day.ndim == 0:
        return lax.dynamic_update_slice(balances, balance[None], (row, jnp.uint32(0)))
    column = lax.iota(jnp.uint32, balance.shape[0])
    return balances.at[row, column].set(balance, mode="promise_in_bounds", unique_indices=True)


def settle(fan: Fan, balances: jax.Array, day: jax.Array, balance: jax.Array) -> jax.Array:
    """The fan once all paths have ended: from the day it ended on, a path keeps its last balance."""
    return jnp.where(fan.shown_day[:, None] >= day[None, :], balance[None, :], balances)
