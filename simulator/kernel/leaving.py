"""What leaves a device that is far from the host: the counts of its paths, or no more of them than are wanted.

`simulator.counts` says what is counted, and reads it. A sum of whole numbers is the same in whichever order a device
adds them.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from simulator.counts import EXCESS_BITS, KEYS, Counts
from simulator.ended import Bins, Ended
from simulator.kernel.bins import binned

OUTCOMES: Final = 4
TABLES: Final = 16
"""Paths are added to so many tables in turn, which are summed in the end. Most paths may well end on one day, or hold
one amount, and what goes to one place is added one after another.
"""


def counted(ended: Ended, bins: Bins, paths: int, *, phases: int) -> tuple[bool, Counts]:
    """Whether a balance left REACH, and the counts, on the host, of the first so many paths."""
    with jax.enable_x64(True):  # noqa: FBT003 — jax's own signature
        found: tuple[bool, Counts] = jax.device_get(
            (ended.overflow, _counted(ended, bins, np.int32(paths), phases=phases))
        )
        return found


def first(ended: Ended, bins: Bins, lanes: int) -> tuple[Ended, Bins]:
    """What so many lanes hold, still on the device; it is compiled for each number of lanes."""
    with jax.enable_x64(True):  # noqa: FBT003 — jax's own signature
        found: tuple[Ended, Bins] = _first((ended, bins), lanes)
        return found


@partial(cast("Any", jax.jit), static_argnums=1)
def _first(held: Any, lanes: int) -> Any:
    return jax.tree.map(lambda of: of[..., :lanes] if of.ndim else of, held)


@partial(cast("Any", jax.jit), static_argnames="phases")
def _counted(ended: Ended, bins: Bins, paths: jax.Array, *, phases: int) -> Counts:
    """On the device."""
    here = lax.iota(jnp.int32, ended.outcome.size) < paths
    outcome = ended.outcome.astype(jnp.int32)
    day, excess = binned(ended.day)
    drawn = ended.trades if ended.skipped is None else ended.trades + ended.skipped
    return Counts(
        ends=_in_bins(outcome * jnp.int32(KEYS) + day, excess, here, OUTCOMES * KEYS).reshape(OUTCOMES, KEYS),
        steps=cast("Any", jnp.sum(jnp.where(here, drawn, jnp.int32(0)), dtype=jnp.int64)),
        pnl=_in_bins(bins.pnl_keys + jnp.int32(KEYS - 1), bins.pnl_excess, here, 2 * KEYS - 1),
        drawdown=_in_bins(bins.drawdown_keys, bins.drawdown_excess, here, KEYS),
        trades=_from_zero(ended.trades, here),
        paid=None if ended.paid is None else _from_zero(ended.paid, here),
        payouts=None if ended.payouts is None else _from_zero(ended.payouts, here),
        paused_days=None if ended.paused_days is None else _from_zero(ended.paused_days, here),
        phases=None if ended.phase is None else _last_phases(ended.phase, outcome, here, phases),
    )


def _last_phases(phase: jax.Array, outcome: jax.Array, here: jax.Array, phases: int) -> Any:
    passed = (outcome == jnp.int32(0)).astype(jnp.int32)
    return _added(here.astype(jnp.int32), phase * jnp.int32(2) + passed, 2 * phases).reshape(phases, 2)


def _from_zero(values: jax.Array, here: jax.Array) -> Any:
    return _in_bins(*binned(values), here, KEYS)


def _in_bins(place: jax.Array, excess: jax.Array, here: jax.Array, size: int) -> Any:
    """Count and excess of each bin, in one number."""
    one = (jnp.uint64(1) << jnp.uint64(EXCESS_BITS)) + excess.astype(jnp.uint64)
    return _added(jnp.where(here, one, jnp.uint64(0)), place, size)


def _added(what: jax.Array, place: jax.Array, size: int) -> Any:
    """The sum of what goes to each place. Lanes of no path, which add nothing, may have any."""
    turn = lax.iota(jnp.int32, what.size) % jnp.int32(TABLES)
    tables = jnp.zeros((TABLES, size), what.dtype).at[turn, place].add(what, mode="drop")
    return jnp.sum(tables, axis=0, dtype=what.dtype)
