"""What a plan with a `Weighting` says of its draws and of its paths; `simulator.tilting` says why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulator import guided, tilting
from simulator.alias import Alias, alias
from simulator.block_tilting import Chain
from simulator.history import History
from simulator.planning import Plan
from simulator.source import trails_open_equity
from simulator.spec import Model
from simulator.tally import Finished
from simulator.tilting import Draws, Weighting

Float64s = npt.NDArray[np.float64]


class Bootstrap(NamedTuple):
    """What is drawn from, and how: what follows from it is kept, as the plans of one search ask for the same. A history
    is itself alone, equal to no other.
    """

    model: Model
    history: History
    block_length: float
    fixed_days: bool
    excursions: bool


def scores(plan: Plan, *, by_low: bool = False) -> Float64s | None:
    """What comes with each draw of the plan, as of `simulator.tilting.scores`, or as of its `lows`."""
    return (_lows if by_low else _scores)(_bootstrap(plan))


def falls(plan: Plan) -> bool:
    """Whether any draw falls, or has a low point below where it began, as far as is known; of a day that a floor trails
    within, whether any of its trades does.
    """
    low = None if trails_open_equity(plan.spec.rules) else _lows(_bootstrap(plan))
    return plan.source.lowest_minor < 0 if low is None else bool(low.min() < 0)


def draws(plan: Plan, weighting: Weighting) -> Draws | None:
    """The draws as they are weighted; None if nothing can be."""
    if weighting.within_a_day:
        return guided.draws(plan)
    return (_by_low if weighting.by_low else _by_pnl)(_bootstrap(plan), weighting.strength)


def weightings(plan: Plan, distance: float, starts: int, reach: float = 1.0) -> Iterator[Weighting]:
    """What pilots try, for a floor so many minor units away that is met after about this share of the horizon. Of the
    moments to begin at there are `starts`, or one for each trade if these are fewer.
    """
    bootstrap = _bootstrap(plan)
    found, low, chain = _scores(bootstrap), _lows(bootstrap), _chain(bootstrap)
    if found is None or low is None:
        return
    fall = distance / max(1.0, reach * plan.horizon_days * _draws_a_day(plan))
    moments = max(1, min(starts, int(reach * plan.mean_steps)))
    candidates = partial(tilting.candidates, starts=moments, reach=reach)
    if tilting.helps(found) and chain is None:
        yield from candidates(tilting.strength(found, fall), most=tilting.steepest(found))
    elif tilting.helps(found) and chain is not None:
        yield from candidates(chain.strength(fall), most=chain.steepest)
    if (low < np.minimum(found, 0.0)).any() and tilting.helps(low, by_low=True):
        yield from candidates(tilting.strength(low, distance), most=tilting.steepest(low), by_low=True)


def stride(plan: Plan) -> int:
    """Trades between two moments at which a tilt may begin."""
    starts, reach = (plan.weighting.starts, plan.weighting.reach) if plan.weighting else (1, 1.0)
    return max(1, int(reach * plan.mean_steps / starts))


def weights(plan: Plan, finished: Finished, which: npt.NDArray[np.bool_]) -> Float64s:
    """The likelihood ratio of each of these paths of a tilted plan: 1 / ((1 - q) (Σ over the moments) / K + q).

    K moments, each as likely to be the one at which the tilt began; the sum is over the odds, tilted to plain, of the
    draws from each moment on, or within each day. A moment that the path did not live to see has odds of 1, as have the
    paths that are plain, a share q of all.
    """
    weighting = plan.weighting
    if weighting is None or finished.odds is None:
        raise ValueError("These paths were not tilted: give a plan with a weighting.")
    if weighting.within_a_day:
        mean_odds = 1 + (finished.odds[which] - 1) / weighting.starts
    else:
        passed = np.minimum((finished.drawn[which] - 1) // stride(plan) + 1, weighting.starts)
        mean_odds = (finished.odds[which] + (weighting.starts - passed)) / weighting.starts
    plain = tilting.PLAIN_WAYS / tilting.WAYS
    return np.asarray(1 / ((1 - plain) * mean_odds + plain), dtype=np.float64)


def _bootstrap(plan: Plan) -> Bootstrap:
    fixed_days = plan.spec.settings.trades_per_day is not None
    return Bootstrap(plan.model, plan.source.history, plan.block_length, fixed_days, plan.excursions)


def _draws_a_day(plan: Plan) -> float:
    """Of what is scored by its P&L, on average; a chain that tilts the length of its days counts by days."""
    match plan.model:
        case Model.DAY:
            return 1.0
        case Model.STATIONARY if plan.spec.settings.trades_per_day is None:
            return 1.0
        case Model.CIRCULAR:
            return plan.trades_a_day / max(1.0, plan.block_length)
        case _:
            return plan.trades_a_day


@lru_cache(maxsize=8)
def _scores(bootstrap: Bootstrap) -> Float64s | None:
    return tilting.scores(bootstrap.model, bootstrap.history, bootstrap.block_length)


@lru_cache(maxsize=8)
def _lows(bootstrap: Bootstrap) -> Float64s | None:
    history = bootstrap.history if bootstrap.excursions else replace(bootstrap.history, mae_minor=None)
    return tilting.lows(bootstrap.model, history, bootstrap.block_length)


@lru_cache(maxsize=8)
def _chain(bootstrap: Bootstrap) -> Chain | None:
    """Of the stationary bootstrap alone, where blocks end by chance."""
    if bootstrap.model is not Model.STATIONARY:
        return None
    return Chain(
        pnl=bootstrap.history.pnl_minor.astype(np.float64),
        ends=None if bootstrap.fixed_days else bootstrap.history.last_of_day,
        restarts=1 / max(1.0, bootstrap.block_length),
    )


@lru_cache(maxsize=2)
def _by_pnl(bootstrap: Bootstrap, strength: float) -> Draws | None:
    found, chain = _scores(bootstrap), _chain(bootstrap)
    if found is None or chain is None:
        return None if found is None else Draws(tables=(_exponential(-strength * found),))
    exponents, restarts = chain.tilted(strength)
    return Draws(tables=(_exponential(exponents),), restarts=restarts[np.newaxis])


@lru_cache(maxsize=2)
def _by_low(bootstrap: Bootstrap, strength: float) -> Draws | None:
    """For a breach within one draw: which it is counts, not how long it lasts."""
    found = _lows(bootstrap)
    return None if found is None else Draws(tables=(_exponential(-strength * found),))


def _exponential(exponents: Float64s) -> Alias:
    return alias(np.exp(exponents - exponents.max()))
