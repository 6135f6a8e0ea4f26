"""Paths that have ended: what is left of them on the device, and what they yield to the host."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from simulator.ended import Ended
from simulator.kernel import rules
from simulator.kernel.fan import settle
from simulator.kernel.rules import State
from simulator.levels import Levels
from simulator.shape import Features
from simulator.tables import Fan


class Held(NamedTuple):
    """What is left of a path that has ended. odds: as `simulator.kernel.odds.Odds.found`, or None."""

    state: State
    odds: jax.Array | None
    fan: jax.Array | None


def yielded(
    features: Features, levels: Levels, held: Held, *, trades_per_day: jax.Array | None, fan: Fan | None
) -> Ended:
    """What paths that have ended yield; `trades_per_day` int32[], None where days are as long as in the history."""
    state = held.state
    steps = rules.stamped(state)
    day = state.day if trades_per_day is None else (steps + trades_per_day - jnp.int32(1)) // trades_per_day
    shown = rules.shown(features, levels, state)
    return Ended(
        outcome=(rules.code(state) - jnp.int32(rules.PASSED)).astype(jnp.uint8),
        final_pnl=rules.final_pnl(features, levels, state),
        max_drawdown=state.max_drawdown,
        day=day,
        trades=steps - state.skipped,
        overflow=rules.left_reach(state),
        fan=None if fan is None or held.fan is None else settle(fan, held.fan, day, shown),
        skipped=state.skipped if features.skips else None,
        phase=state.phase if features.phases else None,
        paid=rules.paid(features, state) if features.payouts else None,
        payouts=state.payouts - levels.opening.payouts if features.payouts else None,
        paused_days=state.paused_days if features.pauses else None,
        odds=held.odds,
    )
