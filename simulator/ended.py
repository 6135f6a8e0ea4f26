"""What a kernel yields of paths that have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import jax


class Ended(NamedTuple):
    """One entry a path; `trades`: taken; `overflow` bool[]: a balance left REACH; `fan`, and what follows it, or None.

    skipped: trades drawn but not taken; phase: from 0, the last that was reached; paid: to the trader; odds: as
    `simulator.kernel.odds.Odds.total`.
    """

    outcome: jax.Array
    final_pnl: jax.Array
    max_drawdown: jax.Array
    day: jax.Array
    trades: jax.Array
    overflow: jax.Array
    fan: jax.Array | None
    skipped: jax.Array | None
    phase: jax.Array | None
    paid: jax.Array | None
    payouts: jax.Array | None
    paused_days: jax.Array | None
    odds: jax.Array | None


class Bins(NamedTuple):
    """Two figures of each path, int32[paths], as of `simulator.bins.Binned`."""

    pnl_keys: jax.Array
    pnl_excess: jax.Array
    drawdown_keys: jax.Array
    drawdown_excess: jax.Array
