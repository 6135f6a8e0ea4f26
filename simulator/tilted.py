"""What a plan with a `Weighting` says of its draws and of its paths; `simulator.tilting` says why."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from simulator import tilting
from simulator.history import History
from simulator.planning import Plan
from simulator.spec import Model
from simulator.tally import Finished


def scores(plan: Plan, *, by_low: bool = False) -> npt.NDArray[np.float64] | None:
    """What comes with each draw of the plan, as of `simulator.tilting.scores`, or as of its `lows`."""
    return _scores(plan.source.history, plan.model, plan.block_length, by_low)


@lru_cache(maxsize=8)
def _scores(history: History, model: Model, block_length: float, by_low: bool) -> npt.NDArray[np.float64] | None:  # noqa: FBT001 — a key
    """Kept, as all the plans of one search ask for the same; a history is itself alone, equal to no other."""
    measure = tilting.lows if by_low else tilting.scores
    return measure(model, history, block_length)


def stride(plan: Plan) -> int:
    """Trades between two moments at which a tilt may begin."""
    starts = plan.weighting.starts if plan.weighting else 1
    return max(1, int(plan.mean_steps / starts))


def weights(plan: Plan, finished: Finished) -> npt.NDArray[np.float64]:
    """The likelihood ratio of each path of a tilted plan: 1 / ((1 - q) (Σ over the moments) / K + q).

    K moments, each as likely to be the one at which the tilt began; the sum is over the odds, tilted to plain, of the
    draws from each moment on. A moment that the path did not live to see has odds of 1, as have the paths that are
    plain, a share q of all.
    """
    weighting = plan.weighting
    if weighting is None or finished.odds is None:
        raise ValueError("These paths were not tilted: give a plan with a weighting.")
    steps = finished.trades if finished.skipped is None else finished.trades + finished.skipped
    passed = np.minimum((steps - 1) // stride(plan) + 1, weighting.starts)
    mean_odds = (finished.odds + (weighting.starts - passed)) / weighting.starts
    plain = tilting.PLAIN_WAYS / tilting.WAYS
    return np.asarray(1 / ((1 - plain) * mean_odds + plain), dtype=np.float64)
