"""The ways a sample trader gets in and out, each on the prices of one or two daily bars."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from .market import Market
from .trades import ClosedTrade, Position, booked


def intraday(market: Market, index: int, side: int, quantity: int) -> ClosedTrade:
    """In at the open of session `index`, out at its close."""
    bar = market.bars[index]
    position = Position(market=market, side=side, quantity=quantity, price=bar.open, opened_at=market.opened(index))
    return position.close(bar.close, market.closed(index), low=bar.low, high=bar.high)


def overnight(market: Market, index: int, side: int, quantity: int) -> ClosedTrade:
    """In at the close of session `index`, out at the next close."""
    bar, after = market.bars[index], market.bars[index + 1]
    position = Position(market=market, side=side, quantity=quantity, price=bar.close, opened_at=market.closed(index))
    return position.close(after.close, market.closed(index + 1), low=after.low, high=after.high)


def overnight_with_stop(market: Market, index: int, quantity: int, stop: int) -> ClosedTrade:
    """Long at the close, out at the next close or `stop` ticks below the entry, whichever comes first.

    A session that opens below the stop fills at its open. A stopped trade's best price is the better of entry and
    open, as the day's high may have come after the stop; the fill is stamped at the middle of the session.
    """
    bar, after = market.bars[index], market.bars[index + 1]
    level = bar.close - stop
    if after.low > level:
        return overnight(market, index, 1, quantity)
    fill = min(level, after.open)
    position = Position(market=market, side=1, quantity=quantity, price=bar.close, opened_at=market.closed(index))
    return position.close(fill, market.during(index + 1, 0.5), low=fill, high=max(bar.close, after.open))


def swing(market: Market, first: int, last: int, quantity: int) -> ClosedTrade:
    """Long from the close of session `first` to the close of session `last`."""
    held = market.bars[first + 1 : last + 1]
    bar = market.bars[first]
    position = Position(market=market, side=1, quantity=quantity, price=bar.close, opened_at=market.closed(first))
    low, high = min(day.low for day in held), max(day.high for day in held)
    return position.close(market.bars[last].close, market.closed(last), low=low, high=high)


def short_strangle(market: Market, index: int, quantity: int, premium: int, offset: int) -> ClosedTrade:
    """Sold at the close of session `index` for `premium`, strikes `offset` away, settled at the next close.

    MAE and MFE count intrinsic value only, at the low and the high of the next session.
    """
    strike_from, after = market.bars[index].close, market.bars[index + 1]
    owed = [max(0, abs(price - strike_from) - offset) for price in (after.close, after.low, after.high)]
    return booked(
        market=market,
        opened_at=market.closed(index),
        closed_at=market.closed(index + 1),
        quantity=quantity,
        gains=(premium - owed[0], premium - max(owed), premium),
    )


def legs(market: Market, index: int) -> Iterator[tuple[int, int, datetime, datetime]]:
    """The three moves of a session as (from, to, begin, end): open, one extreme, the other extreme, close.

    Daily bars do not tell which extreme came first: the low is taken to have, if the session closed up, else the
    high; the extremes are put at a quarter and three quarters of the session. A leg of no length is left out.
    """
    bar = market.bars[index]
    extremes = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
    prices = (bar.open, *extremes, bar.close)
    times = [market.during(index, part) for part in (0.0, 0.25, 0.75, 1.0)]
    for step in range(3):
        if prices[step] != prices[step + 1]:
            yield prices[step], prices[step + 1], times[step], times[step + 1]


def scalp(
    market: Market, leg: tuple[int, int, datetime, datetime], side: int, quantity: int, reach: int
) -> ClosedTrade:
    """In at the start of a leg, out at its end or after `reach` ticks either way, which the leg passed on its way."""
    start, end, begin, finish = leg
    done = min(reach, abs(end - start))
    price = start + (done if end > start else -done)
    closed_at = begin + timedelta(seconds=int((finish - begin).total_seconds() * done / abs(end - start)))
    position = Position(market=market, side=side, quantity=quantity, price=start, opened_at=begin)
    return position.close(price, closed_at, low=min(start, price), high=max(start, price))
