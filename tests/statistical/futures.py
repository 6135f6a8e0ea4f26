"""Small accounts, each of whose futures can be listed with its exact probability, from the definition of the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

from simulator.spec import (
    Account,
    BreachOperator,
    DailyAction,
    DailyLoss,
    DrawdownKind,
    FloorAfterPayout,
    MaxDrawdown,
    MinimumDays,
    Model,
    Payout,
    Phase,
    Rules,
    Scaling,
    Stress,
)  # fmt: skip

START = 1_000
FRESH = Account(balance_minor=START, high_water_mark_minor=START)
BARE = Rules(starting_balance_minor=START)
AS_IT_IS = Stress()

Days = Sequence[Sequence[int]]
Futures = Iterator[tuple[Days, Fraction]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A history, how it is drawn, and under which rules; one trade a day unless said otherwise."""

    rules: Rules
    history: Days = ((3,), (1,), (-2,))
    days: int = 5
    account: Account = FRESH
    model: Model = Model.IID
    block_length: float | None = None
    trades_per_day: int | None = 1
    stress: Stress = AS_IT_IS


def drawdown(kind: DrawdownKind, allowance: int, lock: int | None = None, share_ppm: int | None = None) -> MaxDrawdown:
    return MaxDrawdown(kind=kind, allowance_minor=allowance, lock_minor=lock, peak_share_ppm=share_ppm)


def futures(case: Case) -> Futures:
    match case.model:
        case Model.DAY:
            return whole_days(case)
        case Model.IID if case.trades_per_day is None:
            return days_of_drawn_length(case)
        case Model.IID:
            return into_days(case, trade_by_trade(case))
        case _:
            return into_days(case, by_index(case))


def trade_by_trade(case: Case) -> Iterator[tuple[tuple[int, ...], Fraction]]:
    """Each trade as likely as any other; with fewer winners, a winner is some loser that often."""
    trades, steps = flat(case), case.days * (case.trades_per_day or 1)
    share, losers = Fraction(case.stress.fewer_winners), [pnl for pnl in trades if pnl < 0]
    chances: dict[int, Fraction] = {}
    for pnl in trades:
        kept = 1 - share if pnl > 0 else Fraction(1)
        chances[pnl] = chances.get(pnl, Fraction(0)) + kept / len(trades)
        for loser in losers if pnl > 0 and share else []:
            chances[loser] = chances.get(loser, Fraction(0)) + share / len(trades) / len(losers)
    return weighted(chances, steps)


def weighted(chances: dict[int, Fraction], steps: int) -> Iterator[tuple[tuple[int, ...], Fraction]]:
    for drawn in product(chances, repeat=steps):
        weight = Fraction(1)
        for pnl in drawn:
            weight *= chances[pnl]
        yield drawn, weight


def by_index(case: Case) -> Iterator[tuple[tuple[int, ...], Fraction]]:
    """Blocks: stationary, that begin anew with probability 1/L; circular, of exactly L."""
    trades, steps = flat(case), case.days * (case.trades_per_day or 1)
    length = Fraction(case.block_length or 1)
    for drawn in product(range(len(trades)), repeat=steps):
        weight = Fraction(1, len(trades))
        for at in range(1, steps):
            begins = Fraction(at % length == 0) if case.model is Model.CIRCULAR else 1 / length
            goes_on = drawn[at] == (drawn[at - 1] + 1) % len(trades)
            weight *= begins / len(trades) + (1 - begins) * goes_on
        if weight:
            yield tuple(trades[each] for each in drawn), weight


def into_days(case: Case, drawn: Iterator[tuple[tuple[int, ...], Fraction]]) -> Futures:
    """A fixed number of trades a day; the worst day strikes the first trade of one day, each alike."""
    size = case.trades_per_day or 1
    for pnls, weight in drawn:
        days = [pnls[at : at + size] for at in range(0, len(pnls), size)]
        if not case.stress.worst_day:
            yield days, weight
            continue
        for struck in range(case.days):
            worst = (days[struck][0] + min(map(sum, case.history)), *days[struck][1:])
            yield [*days[:struck], worst, *days[struck + 1 :]], weight / case.days


def whole_days(case: Case) -> Futures:
    for days in product(case.history, repeat=case.days):
        yield days, Fraction(1, len(case.history) ** case.days)


def days_of_drawn_length(case: Case) -> Futures:
    """Lengths as those of the history's days, trades drawn one by one."""
    trades = flat(case)
    day = [
        (drawn, Fraction(1, len(case.history) * len(trades) ** len(of)))
        for of in case.history
        for drawn in product(trades, repeat=len(of))
    ]
    for days in product(day, repeat=case.days):
        weight = Fraction(1)
        for _, each in days:
            weight *= each
        yield [drawn for drawn, _ in days], weight


def flat(case: Case) -> list[int]:
    return [pnl for day in case.history for pnl in day]


# The rules in turn, on futures that are drawn one by one, and then the models.

STATIC = drawdown(DrawdownKind.STATIC, 3)
LATE = drawdown(DrawdownKind.TRAILING_END_OF_DAY, 3)
PAUSING = DailyLoss(limit_minor=2, action=DailyAction.PAUSE)
DAY_OF_TWO = {"trades_per_day": 2, "days": 3}

RULES: dict[str, Case] = {
    "static": Case(rules=replace(BARE, max_drawdown=STATIC)),
    "below": Case(rules=replace(BARE, max_drawdown=STATIC, breach=BreachOperator.BELOW)),
    "end of day": Case(rules=replace(BARE, max_drawdown=LATE), trades_per_day=2, days=3),
    "end of day, locked": Case(
        rules=replace(BARE, max_drawdown=replace(LATE, lock_minor=START - 1)), trades_per_day=2, days=3
    ),
    "intraday": Case(
        rules=replace(BARE, max_drawdown=drawdown(DrawdownKind.TRAILING_INTRADAY, 4)), trades_per_day=2, days=3
    ),
    "share of the peak": Case(
        rules=replace(BARE, max_drawdown=drawdown(DrawdownKind.TRAILING_INTRADAY, 0, share_ppm=3_500))
    ),
    "daily loss": Case(rules=replace(BARE, daily_loss=DailyLoss(limit_minor=3)), trades_per_day=2, days=3),
    "daily loss, share of the anchor": Case(
        rules=replace(BARE, daily_loss=DailyLoss(limit_minor=0, anchor_share_ppm=2_500)), trades_per_day=2, days=3
    ),
    "pause": Case(rules=replace(BARE, daily_loss=PAUSING), trades_per_day=2, days=3),
    "target": Case(rules=replace(BARE, target_minor=START + 5)),
    "minimum days": Case(rules=replace(BARE, target_minor=START + 2, minimum_days=MinimumDays(days=3))),
    "profitable days": Case(
        rules=replace(BARE, target_minor=START + 1, minimum_days=MinimumDays(days=2, min_profit_minor=2))
    ),
    "time limit": Case(rules=replace(BARE, time_limit_days=4, target_minor=START + 6)),
    "consistency": Case(rules=replace(BARE, target_minor=START + 4, best_day_ppm=500_000)),
    "phases": Case(
        rules=replace(
            BARE,
            max_drawdown=STATIC,
            phases=(Phase(target_minor=START + 2, time_limit_days=3), Phase(target_minor=START + 3)),
        )
    ),
    "payout": Case(
        rules=replace(
            BARE,
            max_drawdown=drawdown(DrawdownKind.TRAILING_END_OF_DAY, 4),
            payout=Payout(floor_minor=START + 1, every_days=2, splits_ppm=(500_000, 800_000), caps_minor=(1, 3)),
        )
    ),
    "payout, floor to the start": Case(
        rules=replace(
            BARE, max_drawdown=STATIC, payout=Payout(floor_minor=START + 1, floor_after=FloorAfterPayout.START)
        )
    ),
    "payout, floor follows": Case(
        rules=replace(
            BARE,
            max_drawdown=LATE,
            payout=Payout(floor_minor=START, max_payouts=2, floor_after=FloorAfterPayout.FOLLOW),
        )
    ),
    "scaling": Case(
        rules=replace(
            BARE,
            max_drawdown=STATIC,
            scaling=Scaling(every_days=2, min_profit_minor=2, step_ppm=500_000, max_steps=2),
        ),
        days=6,
    ),
    "an account under way": Case(
        rules=replace(BARE, max_drawdown=LATE, target_minor=START + 3, minimum_days=MinimumDays(days=4)),
        account=Account(balance_minor=START - 1, high_water_mark_minor=START + 1, days_traded=2, qualifying_days=2),
    ),
}

ALL_AT_ONCE = replace(
    BARE,
    max_drawdown=drawdown(DrawdownKind.TRAILING_END_OF_DAY, 4, lock=START),
    daily_loss=PAUSING,
    target_minor=START + 5,
    minimum_days=MinimumDays(days=2, min_profit_minor=1),
    best_day_ppm=600_000,
)

MODELS: dict[str, Case] = {
    "all at once": Case(rules=ALL_AT_ONCE, trades_per_day=2, days=3),
    "days as in the history": Case(rules=ALL_AT_ONCE, trades_per_day=None, history=((3,), (1, -2)), days=3),
    "whole days": Case(
        rules=ALL_AT_ONCE, model=Model.DAY, trades_per_day=None, history=((3,), (1, -2), (-2, 3)), days=6
    ),
    "stationary, whose n x L is no whole number": Case(
        rules=ALL_AT_ONCE, model=Model.STATIONARY, block_length=2.5, trades_per_day=2, days=3
    ),
    "circular": Case(rules=ALL_AT_ONCE, model=Model.CIRCULAR, block_length=2, trades_per_day=3, days=2),
    "fewer winners": Case(
        rules=ALL_AT_ONCE, history=((3,), (1,), (-2,), (-1,)), trades_per_day=1, stress=Stress(fewer_winners=0.25)
    ),
    "worst day": Case(rules=ALL_AT_ONCE, history=((3,), (1, -2), (-2, 1)), days=3, stress=Stress(worst_day=True)),
}
