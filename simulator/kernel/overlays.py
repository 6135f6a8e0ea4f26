"""What is laid over a drawn trade on the device: stress that draws at random, and amounts that grow with the account.

Everything here is compiled in only where a job asks for it.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from simulator.tables import Losers, Step, WorstDay


class Traded(NamedTuple):
    """The trade of each path, int32[paths] in minor units; None: of no use to this job.

    low: min(MAE, P&L); high: max(MFE, P&L); step_…: what one step of scaling adds to each.
    """

    pnl: jax.Array
    low: jax.Array | None = None
    high: jax.Array | None = None
    step_pnl: jax.Array | None = None
    step_low: jax.Array | None = None
    step_high: jax.Array | None = None


def fewer_winners(losers: Losers, traded: Traded, draw: tuple[jax.Array, jax.Array]) -> Traded:
    """Replaces a winner by the drawn loser where the draw's remainder says so."""
    loser, remainder = draw
    replaced = (traded.pnl > jnp.int32(0)) & (remainder <= losers.replaced_below)

    def instead(table: jax.Array | None, amount: jax.Array | None) -> jax.Array | None:
        if table is None or amount is None:
            return amount
        return jnp.where(replaced, table.at[loser].get(mode="promise_in_bounds"), amount)

    pnl = jnp.where(replaced, losers.pnl.at[loser].get(mode="promise_in_bounds"), traded.pnl)
    return traded._replace(pnl=pnl, low=instead(losers.low, traded.low), high=instead(losers.high, traded.high))


def strike(worst: WorstDay, traded: Traded, struck: jax.Array) -> Traded:
    """Adds the worst day to the trade of each struck path: it falls by so much after it has been as high as it was.

    What a fitted trade then loses beyond the most that is computed is cut.
    """

    def lower(amount: jax.Array) -> jax.Array:
        return jnp.maximum(amount + jnp.where(struck, worst.total, jnp.int32(0)), worst.least)

    return traded._replace(pnl=lower(traded.pnl), low=None if traded.low is None else lower(traded.low))


def nearer(to_worst: jax.Array, over: jax.Array) -> jax.Array:
    """The days until the worst one after this trade; 0 on its first trade alone, below 0 ever after."""
    passes: jax.Array = over | (to_worst == jnp.int32(0))
    return to_worst - passes.astype(jnp.int32)


def with_steps(step: Step, traded: Traded) -> Traded:
    """Adds what a step of scaling is worth to each amount, rounded half to even.

    Exact: the product is below 2^53, and the quotient below 2^30, as the account's steps keep its trades within REACH
    (`simulator.growth`). One that is no tie is a millionth from one at least, and the double next to 1e-6 is off by
    less than 2^-54 of it, so that a tie is nearer to itself than to any other double.
    """

    def of(amount: jax.Array | None) -> jax.Array | None:
        if amount is None:
            return None
        product = amount.astype(jnp.float64) * step.share.astype(jnp.float64)
        nearest: jax.Array = jnp.rint(product * 1e-6)
        return nearest.astype(jnp.int32)

    return traded._replace(step_pnl=of(traded.pnl), step_low=of(traded.low), step_high=of(traded.high))
