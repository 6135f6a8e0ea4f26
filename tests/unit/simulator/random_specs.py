"""Hypothesis' simulations of a given shape: histories, rules and accounts whose amounts meet every rule now and then.

Amounts are multiples of a step: with a coarse one balances stand exactly at floors, targets and gates. Strategies are
kept, since Hypothesis looks into each new one at length.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from hypothesis import assume
from hypothesis import strategies as st

from simulator.spec import (
    Account,
    BreachOperator,
    DailyAnchor,
    DailyLoss,
    DrawdownKind,
    MaxDrawdown,
    MinimumDays,
    Model,
    Payout,
    Phase,
    Rules,
    Scaling,
    Settings,
    Spec,
    Stress,
)
from simulator.trades import Trade, Trades
from tests.reference.floors import breached
from tests.reference.standing import present, static_floor_follows
from tests.unit.simulator.rule_shapes import FITTED, Shape

FIRST_CLOSE = datetime(2024, 1, 1, 12, tzinfo=UTC)
MOST_DAYS = 14
PATHS = 32
PARTS = st.sampled_from([500_000, 400_000, 333_333, 250_000])
SPLITS = st.sampled_from([800_000, 0, 1_000_000, 333_333])
SHARES = st.just(1_000_000) | PARTS

FACTORS = {
    "volatility_factor": st.sampled_from([1.0, 1.3, 0.5]),
    "loss_factor": st.sampled_from([1.0, 1.25, 0.7]),
    "cost_minor": st.sampled_from([0, 3, 50]),
}
STRESSES = {
    "no": st.just(Stress()),
    "amounts": st.builds(Stress, **FACTORS),
    "draws": st.builds(Stress, **FACTORS, fewer_winners=st.sampled_from([0.4, 0.1, 1.0]), worst_day=st.just(True)),
}

Parts = tuple[int, int | None, int | None]


@cache
def amounts(low: int, high: int, step: int) -> st.SearchStrategy[int]:
    """Multiples of the step."""
    return st.integers(-(-low // step), high // step).map(step.__mul__)


@cache
def maybe(low: int, high: int, step: int) -> st.SearchStrategy[int | None]:
    """None, or a multiple of the step."""
    return st.none() | amounts(low, high, step)


@cache
def or_nothing(low: int, high: int, step: int) -> st.SearchStrategy[int]:
    """Zero, or a multiple of the step."""
    return st.just(0) | amounts(low, high, step)


@st.composite
def specs(draw: st.DrawFn, shape: Shape) -> Spec:
    """A simulation of this shape whose account has not ended already."""
    step = draw(st.sampled_from([1, 7, 50, 100]))
    rules = draw(rule_books(shape, step))
    account = draw(accounts(shape, rules, step))
    assume(not breached(present(rules, account), account.balance_minor))
    return Spec(
        trades=draw(histories(shape, step)),
        rules=rules,
        account=account,
        settings=Settings(
            paths=PATHS,
            horizon_days=draw(horizons(rules)),
            model=shape.model,
            trades_per_day=draw(st.integers(1, 4)) if shape.fixed_days else None,
            block_length=draw(block_lengths(shape.model)),
            seed=draw(st.integers(0, 2**64 - 1)),
            stress=draw(STRESSES[shape.stress]),
        ),
    )


@cache
def block_lengths(model: Model) -> st.SearchStrategy[float | None]:
    """A mean length, or a whole one."""
    match model:
        case Model.STATIONARY:
            return st.floats(1, 12)
        case Model.CIRCULAR:
            return st.integers(1, 9).map(float)
        case _:
            return st.none()


def horizons(rules: Rules) -> st.SearchStrategy[int | None]:
    """A few days, rather many than few; none where every phase has an end of its own."""
    limited = all(step.time_limit_days or step.time_limit_calendar_days for step in rules.steps)
    days = st.integers(0, MOST_DAYS - 1).map(lambda fewer: MOST_DAYS - fewer)
    return st.none() | days if limited else days


@cache
@st.composite
def histories(draw: st.DrawFn, shape: Shape, step: int) -> Trades:
    """Days of trades, some of them with days off between; MAE and MFE are known or not as the shape says.

    What is fitted or made worse has a day that loses under any stress, a winner and three different P&Ls.
    """
    days = draw(st.lists(st.lists(parts(shape, step), min_size=1, max_size=4), min_size=1, max_size=8))
    if shape.model in FITTED or shape.stress == "draws":
        days[:0] = [[(-600, -650, 0)], [(100, -50, 150), (30, -60, 30)]]
    dates = [0]
    for _ in days[1:]:
        dates.append(dates[-1] + draw(st.sampled_from([1, 1, 1, 2, 3])))
    if not shape.excursions:
        days[-1][-1] = (days[-1][-1][0], None, None)
    return trades_of(days, dates)


@cache
def parts(shape: Shape, step: int) -> st.SearchStrategy[Parts]:
    """The P&L of a trade, its MAE and its MFE. A funded account makes money, or it is never paid."""
    pnl, mae, mfe = amounts(-150 if shape.payout else -300, 300, step), amounts(-300, 0, step), amounts(0, 300, step)
    if not shape.excursions:
        return st.tuples(pnl, st.none() | mae, st.none() | mfe)
    return st.tuples(pnl, mae, mfe if shape.drawdown is DrawdownKind.TRAILING_INTRADAY else st.none() | mfe)


def trades_of(days: Sequence[Sequence[Parts]], dates: Sequence[int] | None = None) -> Trades:
    """Trades with these P&Ls, MAEs and MFEs, so many days after the first; on consecutive days if none are given."""
    return Trades.of(
        Trade(closed_at=FIRST_CLOSE + timedelta(days=date, minutes=minute), pnl_minor=pnl, mae_minor=mae, mfe_minor=mfe)
        for date, trades in zip(range(len(days)) if dates is None else dates, days, strict=True)
        for minute, (pnl, mae, mfe) in enumerate(trades)
    )


@cache
@st.composite
def rule_books(draw: st.DrawFn, shape: Shape, step: int) -> Rules:
    """Rules of this shape."""
    start = draw(st.sampled_from([10_000, 10_002, 9_997]))
    phases = draw(st.lists(steps_of(shape, start, step), min_size=3, max_size=4)) if shape.course == "phases" else []
    only = draw(steps_of(shape, start, step))
    return Rules(
        starting_balance_minor=start,
        breach=draw(st.sampled_from(BreachOperator)),
        max_drawdown=draw(drawdowns(shape, start, step)),
        daily_loss=draw(daily_losses(shape, step)),
        target_minor=only.target_minor if shape.course == "target" else None,
        minimum_days=only.minimum_days if shape.course == "target" else None,
        best_day_ppm=only.best_day_ppm if shape.course == "target" else None,
        time_limit_days=None if phases else only.time_limit_days,
        time_limit_calendar_days=None if phases else only.time_limit_calendar_days,
        phases=tuple(phases),
        payout=draw(payouts(shape, start, step)) if shape.payout else None,
        scaling=draw(scalings(step)) if shape.scaling else None,
    )


@cache
def steps_of(shape: Shape, start: int, step: int) -> st.SearchStrategy[Phase]:
    """What one phase of this shape asks."""
    return st.builds(
        Phase,
        target_minor=amounts(1, 700, step).map(start.__add__),
        minimum_days=minimum_days(shape, step),
        time_limit_days=st.none() | st.integers(1, 9),
        time_limit_calendar_days=st.none() | st.integers(1, 15),
        best_day_ppm=SHARES if shape.consistency else st.none(),
    )


@cache
def minimum_days(shape: Shape, step: int) -> st.SearchStrategy[MinimumDays | None]:
    """The days that a pass or a payout needs."""
    if shape.minimum_days == "no":
        return st.none()
    profits = st.none() if shape.minimum_days == "any" else amounts(1, 200, step)
    return st.builds(MinimumDays, days=st.integers(1, 4), min_profit_minor=profits)


@cache
def drawdowns(shape: Shape, start: int, step: int) -> st.SearchStrategy[MaxDrawdown | None]:
    """A fixed allowance, or a share of the peak; a lock or none where it trails."""
    if shape.drawdown is None:
        return st.none()
    trailing = shape.drawdown is not DrawdownKind.STATIC
    return st.builds(
        MaxDrawdown,
        kind=st.just(shape.drawdown),
        allowance_minor=st.just(0) if shape.drawdown_share else amounts(1, 1_200, step),
        lock_minor=st.none() | amounts(start - 700, start + 400, step) if trailing else st.none(),
        peak_share_ppm=shares(120_000) if shape.drawdown_share else st.none(),
    )


@cache
def daily_losses(shape: Shape, step: int) -> st.SearchStrategy[DailyLoss | None]:
    """An amount, or a share of the anchor."""
    if shape.daily_loss is None:
        return st.none()
    return st.builds(
        DailyLoss,
        limit_minor=st.just(0) if shape.daily_share else amounts(1, 600, step),
        anchor=st.just(DailyAnchor.HIGHER_OF_BALANCE_AND_EQUITY) if shape.open_equity else st.sampled_from(DailyAnchor),
        action=st.just(shape.daily_loss),
        anchor_share_ppm=shares(60_000) if shape.daily_share else st.none(),
    )


@cache
def shares(most: int) -> st.SearchStrategy[int]:
    """Whole percents and others, in millionths."""
    return st.integers(1, most // 10_000).map((10_000).__mul__) | st.integers(1_000, most)


@cache
@st.composite
def payouts(draw: st.DrawFn, shape: Shape, start: int, step: int) -> Payout:
    """Gates, ladders of three or four rungs, and what becomes of the floor."""
    caps, splits = draw(ladders(step)) if "ladder" in shape.withdrawal else ([], [])
    return Payout(
        floor_minor=start + draw(or_nothing(-200, 300, step)),
        every_days=draw(st.integers(0, 4)),
        minimum_days=draw(minimum_days(shape, step)),
        best_day_ppm=draw(SHARES) if shape.consistency else None,
        profit_share_ppm=draw(PARTS) if "share" in shape.withdrawal else 1_000_000,
        least_minor=draw(st.just(1) | amounts(1, 150, step)),
        caps_minor=tuple(caps),
        splits_ppm=tuple(splits),
        floor_after=shape.floor_after,
        max_payouts=draw(st.none() | st.integers(1, 5)),
    )


@cache
def ladders(step: int) -> st.SearchStrategy[tuple[list[int], list[int]]]:
    """Caps and splits, of which one is not the whole: both shapes that are compiled once."""
    caps = st.lists(amounts(1, 300, step), min_size=3, max_size=4)
    return st.tuples(caps, st.lists(SPLITS, min_size=3, max_size=4).filter(lambda splits: min(splits) < 1_000_000))


@cache
def scalings(step: int) -> st.SearchStrategy[Scaling]:
    """Short periods and steps of any size."""
    return st.builds(
        Scaling,
        every_days=st.integers(1, 4),
        min_profit_minor=amounts(1, 250, step),
        step_ppm=st.sampled_from([250_000, 500_000, 333_333, 1_000_000, 1_250_000, 1, 10_000_000]),
        max_steps=st.integers(1, 3),
    )


@st.composite
def accounts(draw: st.DrawFn, shape: Shape, rules: Rules, step: int) -> Account:
    """An account under these rules, fresh or under way. Equity above the balance is compiled in where it counts."""
    start = rules.starting_balance_minor
    balance = start + draw(or_nothing(-400, 600, step))
    gap = draw(amounts(1, 300, step) if shape.open_equity else maybe(-300, 300, step))
    if rules.daily_loss is not None and not shape.open_equity and gap is not None:
        gap = gap if rules.daily_loss.anchor is DailyAnchor.PRIOR_BALANCE else min(gap, 0)
    phase = draw(st.integers(1, len(rules.steps)))
    limits = rules.steps[phase - 1]
    paid = 0 if rules.payout is None else draw(st.integers(0, (rules.payout.max_payouts or 5) - 1))
    return Account(
        balance_minor=balance,
        high_water_mark_minor=balance + draw(or_nothing(0, 700, step)),
        days_traded=draw(st.integers(0, (limits.time_limit_days or 5) - 1)),
        qualifying_days=draw(st.integers(0, 3)),
        equity_minor=None if gap is None else balance + gap,
        best_day_minor=draw(or_nothing(0, 300, step)),
        calendar_days_used=draw(st.integers(0, (limits.time_limit_calendar_days or 9) - 1)),
        phase=phase,
        payouts=paid,
        days_since_payout=draw(st.integers(0, 3)),
        profit_since_payout_minor=draw(maybe(-300, 400, step)),
        withdrawn_minor=draw(or_nothing(0, 700, step)) if paid and static_floor_follows(rules) else 0,
    )
