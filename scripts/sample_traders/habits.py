"""The trading rules of the sample traders. Every decision uses only prices known when it is made.

A "usual move" is the root mean square of the last 20 close-to-close moves; a risk in cents is what one usual move of
the position is worth.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

from . import fills
from .market import Bar, Market
from .trades import ClosedTrade


def buy_weak_closes(
    market: Market, sessions: range, *, weakness: float, stop: float, risk_cents: int
) -> Iterator[ClosedTrade]:
    """Above the 200-day mean, long overnight after a close in the lowest part of its range, with a stop."""
    for index in sessions[:-1]:
        bar = market.bars[index]
        if place_in_range(bar) < weakness and bar.close > market.mean_close(index, 200):
            quantity = market.contracts(index, risk_cents)
            yield fills.overnight_with_stop(market, index, quantity, round(stop * market.move(index)))


def revert_at_the_close(market: Market, sessions: range, *, weakness: float, risk_cents: int) -> Iterator[ClosedTrade]:
    """Long overnight after a weak close; short after a strong one while below the 200-day mean. No stop."""
    for index in sessions[:-1]:
        bar, place = market.bars[index], place_in_range(market.bars[index])
        falling = bar.close < market.mean_close(index, 200)
        side = 1 if place < weakness else -1 if place > 1 - weakness and falling else 0
        if side:
            yield fills.overnight(market, index, side, market.contracts(index, risk_cents))


def follow_breakouts(
    market: Market, sessions: range, *, entry: int, leave: int, risk_cents: int
) -> Iterator[ClosedTrade]:
    """Long at the highest close of `entry` sessions, out at the lowest of `leave`: few trades, held for weeks."""
    since: int | None = None
    for index in sessions[:-1]:
        close = market.bars[index].close
        if since is None and close > max(bar.close for bar in market.bars[index - entry : index]):
            since = index
        elif since is not None and close < min(bar.close for bar in market.bars[index - leave : index]):
            yield fills.swing(market, since, index, market.contracts(since, risk_cents))
            since = None


def follow_gaps(market: Market, sessions: range, *, gap: float, risk_cents: int) -> Iterator[ClosedTrade]:
    """With an opening gap of more than `gap` usual moves, flat at the close."""
    for index in sessions:
        jump = market.bars[index].open - market.bars[index - 1].close
        if abs(jump) > gap * market.move(index - 1):
            yield fills.intraday(market, index, 1 if jump > 0 else -1, market.contracts(index - 1, risk_cents))


def flip_coins(market: Market, sessions: range, *, name: str, risk_cents: int) -> Iterator[ClosedTrade]:
    """Long or short from open to close by the first bit of SHA-256 of the name and the date: no edge at all."""
    for index in sessions:
        side = coin(f"{name}/{market.bars[index].day}")
        yield fills.intraday(market, index, side, market.contracts(index - 1, risk_cents))


def luckiest(market: Market, sessions: range, *, candidates: int, risk_cents: int) -> list[ClosedTrade]:
    """The most profitable of many coin flippers: what a firm sees that looks only at its winners."""
    runs = [
        list(flip_coins(market, sessions, name=f"lucky-{number}", risk_cents=risk_cents))
        for number in range(candidates)
    ]
    return max(runs, key=lambda run: sum(trade.pnl for trade in run))


def sell_strangles(
    market: Market, sessions: range, *, width: float, implied: float, risk_cents: int
) -> Iterator[ClosedTrade]:
    """Each close sells a one-day strangle `width` usual moves away.

    The premium is its normal (Bachelier) value at `implied` times the usual move: what is paid for insurance.
    """
    for index in sessions[:-1]:
        usual = market.move(index)
        premium = round(implied * usual * strangle_value(width / implied))
        quantity = market.contracts(index, risk_cents)
        yield fills.short_strangle(market, index, quantity, premium, round(width * usual))


def double_up(market: Market, sessions: range, *, base: int, most: int) -> Iterator[ClosedTrade]:
    """Long from close to close every day; doubles after a loss, back to `base` after a gain or a loss at `most`."""
    quantity = base
    for index in sessions[:-1]:
        trade = fills.overnight(market, index, 1, quantity)
        yield trade
        quantity = base if trade.pnl > 0 or quantity >= most else 2 * quantity


def trade_every_leg(market: Market, sessions: range, *, base: int, reach: float, name: str) -> Iterator[ClosedTrade]:
    """A coin flip on each of the session's three legs, one contract more after each loss of the day."""
    for index in sessions:
        quantity = base
        for number, leg in enumerate(fills.legs(market, index)):
            side = coin(f"{name}/{market.instrument}/{market.bars[index].day}/{number}")
            trade = fills.scalp(market, leg, side, quantity, round(reach * market.move(index - 1)))
            yield trade
            quantity = quantity + 1 if trade.pnl < 0 else base


def place_in_range(bar: Bar) -> float:
    """Where the close lies between the low (0) and the high (1)."""
    return (bar.close - bar.low) / max(1, bar.high - bar.low)


def strangle_value(width: float) -> float:
    """E max(0, |Z| - width) of a standard normal Z."""
    density = math.exp(-width * width / 2) / math.sqrt(2 * math.pi)
    return 2 * density - width * math.erfc(width / math.sqrt(2))


def coin(text: str) -> int:
    """1 or -1 by the first bit of the SHA-256 of a text."""
    return 1 if hashlib.sha256(text.encode()).digest()[0] & 1 else -1
