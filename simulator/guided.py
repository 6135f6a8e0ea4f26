"""What a plan says of the days that a `simulator.within_a_day.Guide` leads to the loss of their limit."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from simulator import stopping, tilting
from simulator.alias import Alias, alias
from simulator.day import Day, Float64s
from simulator.history import History
from simulator.loading_rules import anchor_raise
from simulator.planning import Plan
from simulator.source import FITTED
from simulator.spec import DailyLoss, Model
from simulator.tables import bucket_of_trades
from simulator.tilting import Draws, Weighting
from simulator.within_a_day import Guide, guide, rows


class Bootstrap(NamedTuple):
    """What the days are drawn from, and how, and what they may lose, in minor units. What follows is kept, as the plans
    of one search ask for the same. A history is itself alone, equal to no other.
    """

    model: Model
    history: History
    block_length: float
    trades_per_day: int | None
    excursions: bool
    limit: float


def weighting(plan: Plan) -> Weighting | None:
    """On one day, all of them as likely; None where no day can lose so much or the model is no bootstrap."""
    if not _is_guided(plan) or ruled_out(plan):
        return None
    return Weighting(strength=0.0, starts=plan.horizon_days, within_a_day=True)


def ruled_out(plan: Plan) -> bool:
    """Whether it is known that no day can lose so much."""
    daily = plan.spec.rules.daily_loss
    found = _guide(_bootstrap(plan, daily)) if daily is not None and _is_guided(plan) else None
    return daily is not None and found is not None and not found.possible(_least_room(plan, daily))


def _is_guided(plan: Plan) -> bool:
    return plan.spec.rules.daily_loss is not None and plan.model not in FITTED


def draws(plan: Plan) -> Draws | None:
    """The draws of such a day; None if there is no such day."""
    daily = plan.spec.rules.daily_loss
    return None if daily is None else _draws(_bootstrap(plan, daily))


def _bootstrap(plan: Plan, daily: DailyLoss) -> Bootstrap:
    return Bootstrap(
        model=plan.model,
        history=plan.source.history,
        block_length=plan.block_length,
        trades_per_day=plan.spec.settings.trades_per_day,
        excursions=plan.excursions,
        limit=_limit(plan, daily),
    )


def _limit(plan: Plan, daily: DailyLoss) -> float:
    """As the account stands."""
    share = (daily.anchor_share_ppm or 0) / 1_000_000
    return max(1.0, daily.limit_minor or share * plan.spec.account.balance_minor)


def _least_room(plan: Plan, daily: DailyLoss) -> float:
    """No day has less before its first fresh draw, by the trades of the history: today may have lost some already, a
    share of what an account holds, or of what its trades have grown to, may be little, and a circular block that began
    the day before may have lost some.
    """
    may_be_little = daily.anchor_share_ppm is not None or plan.model is Model.CIRCULAR
    may_be_little |= plan.spec.rules.scaling is not None
    return 1.0 if may_be_little else max(1.0, _limit(plan, daily) - anchor_raise(plan.spec))


@lru_cache(maxsize=2)
def _draws(bootstrap: Bootstrap) -> Draws | None:
    """From where no breach is possible, draws are plain."""
    found = _guide(bootstrap)
    if found is None:
        return None
    return Draws(tables=tuple(map(_table, found.chances)), restarts=found.restarts, guide=found)


def _table(chances: Float64s) -> Alias:
    stopping.end_if_unwanted()
    return alias(chances if chances.any() else np.ones_like(chances))


@lru_cache(maxsize=2)
def _guide(bootstrap: Bootstrap) -> Guide | None:
    day = _day(bootstrap)
    return None if day is None else guide(day, bootstrap.limit, rows(bucket_of_trades(bootstrap.history.trades)))


def _day(bootstrap: Bootstrap) -> Day | None:
    """How a day is drawn; None if the model is no bootstrap."""
    trades, length = bootstrap.trades_per_day, max(1.0, bootstrap.block_length)
    history = bootstrap.history if bootstrap.excursions else replace(bootstrap.history, mae_minor=None)
    whole = Model.DAY if bootstrap.model is Model.DAY else Model.IID
    pnl, lows = (of(whole, history, length) for of in (tilting.scores, tilting.lows))
    if bootstrap.model in FITTED or pnl is None or lows is None:
        return None
    day = Day(pnl=pnl, worst=np.minimum(lows, 0.0), trades=trades)
    ends = history.last_of_day if trades is None else None
    match bootstrap.model:
        case Model.IID:
            return day if trades else replace(day, hazard=history.hazard)
        case Model.DAY:
            return replace(day, ends=np.ones(history.days, np.bool_), trades=None)
        case Model.STATIONARY:
            return replace(day, ends=ends, restarts=1 / length)
        case Model.CIRCULAR:
            return replace(day, ends=ends, block=int(length))
