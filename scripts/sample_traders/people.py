"""The sample traders: who they are, how they trade, and the accounts they trade for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from . import habits
from .market import Market, load_nasdaq, load_sp500
from .trades import ClosedTrade

LAST = date(2018, 12, 31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trader:
    """One sample trader; `assessed` is when the assessment began, `programme` the rule files it and its account use."""

    name: str
    story: str
    trades: tuple[ClosedTrade, ...]
    assessed: date
    programme: str


def traders() -> list[Trader]:
    """All sample traders, trades by close time."""
    sp500, nasdaq = load_sp500(), load_nasdaq()
    makers: tuple[Callable[[Market, Market], Trader], ...] = (
        steady,
        lucky,
        tail_risk,
        martingale,
        over_trading,
        short_history,
        reverter,
        trend,
    )
    return [maker(sp500, nasdaq) for maker in makers]


def steady(sp500: Market, nasdaq: Market) -> Trader:
    """A small edge on both indices, sized to a constant risk, every loss cut."""
    sessions = sp500.sessions(date(2016, 1, 1), LAST)
    trades = [
        trade
        for market in (sp500, nasdaq)
        for trade in habits.buy_weak_closes(market, sessions, weakness=0.2, stop=1.5, risk_cents=15_000)
    ]
    return _trader(
        name="steady",
        story="Buys both indices overnight after weak closes in a rising market; constant risk, a stop on every trade.",
        trades=trades,
        assessed=date(2017, 1, 3),
        programme="50k-eod",
    )


def lucky(sp500: Market, nasdaq: Market) -> Trader:  # noqa: ARG001 — every maker takes both markets
    """No edge: the best of 200 coin flippers."""
    sessions = sp500.sessions(date(2018, 7, 1), LAST)
    return _trader(
        name="lucky",
        story="Flips a coin each morning; the best of 200 who did so. There is no edge, whatever the record says.",
        trades=habits.luckiest(sp500, sessions, candidates=200, risk_cents=40_000),
        assessed=date(2018, 10, 1),
        programme="50k-eod",
    )


def tail_risk(sp500: Market, nasdaq: Market) -> Trader:  # noqa: ARG001 — every maker takes both markets
    """Sells insurance."""
    sessions = sp500.sessions(date(2014, 1, 1), LAST)
    return _trader(
        name="tail-risk",
        story="Sells a one-day strangle two usual moves wide at every close: many small gains, rare large losses.",
        trades=habits.sell_strangles(sp500, sessions, width=2.0, implied=1.5, risk_cents=80_000),
        assessed=date(2017, 11, 1),
        programme="100k-static",
    )


def martingale(sp500: Market, nasdaq: Market) -> Trader:  # noqa: ARG001 — every maker takes both markets
    """Doubles after every loss."""
    sessions = sp500.sessions(date(2016, 1, 1), LAST)
    return _trader(
        name="martingale",
        story="Long every night, twice the size after each loss, up to 16 contracts: profit until a losing streak.",
        trades=habits.double_up(sp500, sessions, base=1, most=16),
        assessed=date(2017, 1, 3),
        programme="100k-static",
    )


def over_trading(sp500: Market, nasdaq: Market) -> Trader:
    """No view, many trades, and costs."""
    sessions = sp500.sessions(date(2018, 1, 1), LAST)
    trades = [
        trade
        for market in (sp500, nasdaq)
        for trade in habits.trade_every_leg(market, sessions, base=2, reach=0.3, name="over-trading")
    ]
    return _trader(
        name="over-trading",
        story="About six trades a day on a whim, one contract more after each loss: no edge, and costs each time.",
        trades=trades,
        assessed=date(2018, 1, 2),
        programme="50k-eod",
    )


def short_history(sp500: Market, nasdaq: Market) -> Trader:  # noqa: ARG001 — every maker takes both markets
    """A quarter of trades, one of which made most of the profit."""
    sessions = nasdaq.sessions(date(2018, 10, 1), LAST)
    return _trader(
        name="short-history",
        story="Began in October 2018, follows opening gaps; about thirty trades, one of them most of the profit.",
        trades=habits.follow_gaps(nasdaq, sessions, gap=0.4, risk_cents=30_000),
        assessed=date(2018, 10, 1),
        programme="50k-intraday",
    )


def reverter(sp500: Market, nasdaq: Market) -> Trader:  # noqa: ARG001 — every maker takes both markets
    """An edge with wide swings."""
    sessions = nasdaq.sessions(date(2014, 1, 1), LAST)
    return _trader(
        name="reverter",
        story="Fades the close: long overnight after weak ones, short after strong ones in a falling market; no stop.",
        trades=habits.revert_at_the_close(nasdaq, sessions, weakness=0.2, risk_cents=40_000),
        assessed=date(2016, 1, 4),
        programme="100k-static",
    )


def trend(sp500: Market, nasdaq: Market) -> Trader:
    """Loses often and little, wins seldom and much."""
    sessions = sp500.sessions(date(2010, 1, 1), LAST)
    trades = [
        trade
        for market in (sp500, nasdaq)
        for trade in habits.follow_breakouts(market, sessions, entry=20, leave=10, risk_cents=20_000)
    ]
    return _trader(
        name="trend",
        story="Buys 20-day highs, sells 10-day lows, holds for weeks: more losers than winners, and large winners.",
        trades=trades,
        assessed=date(2016, 1, 4),
        programme="50k-intraday",
    )


def _trader(*, name: str, story: str, trades: Iterable[ClosedTrade], assessed: date, programme: str) -> Trader:
    by_close = tuple(sorted(trades, key=lambda trade: trade.closed_at))
    return Trader(name=name, story=story, trades=by_close, assessed=assessed, programme=programme)
