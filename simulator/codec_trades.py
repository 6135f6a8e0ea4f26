"""Reads the trades of a message. Plain ones, nearly all, are read together; the others one by one, by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import compress
from operator import attrgetter
from typing import Final

import numpy as np
import numpy.typing as npt
from google.protobuf.timestamp_pb2 import Timestamp

from montecarlo.v1 import trade_pb2
from simulator.checks import Checks
from simulator.codec_settings import decode_time
from simulator.money import from_minor
from simulator.spec import MAX_TRADES, REACH
from simulator.trades import A_SECOND, UNKNOWN, Int64s, Trade, Trades, microseconds

Bools = npt.NDArray[np.bool_]
Messages = Sequence[trade_pb2.Trade]

_AMOUNTS: Final = ("pnl", "mae", "mfe", "commission", "quantity")
_INSTANT: Final = attrgetter("seconds", "nanos")
_NUMBER_OR_NOTHING: Final = r"(?:[+-]?\d+(?:\.\d+)?)?"
_FIRST, _LAST = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2, 9999))
"""A year from the ends of the calendar, so that the days before and after are in it, in any time zone."""


def decode_trades(checks: Checks, messages: Messages, digits: int) -> Trades:
    """The trades in close order, in a currency with so many digits; notes what is wrong with them."""
    count = len(messages)
    if not count:
        checks.bad("trades", "is empty: give at least one closed trade")
    if count > MAX_TRADES:
        checks.bad("trades", f"has {count} trades: give at most {MAX_TRADES}, the latest ones")
    if not 0 < count <= MAX_TRADES:
        return Trades.of([])
    rows, plain = _plain(messages, digits)
    good = plain.copy()
    for index in np.flatnonzero(~plain).tolist():
        trade = _trade(checks, f"trades[{index}]", messages[index], digits)
        if trade is not None:
            rows[:, index] = _row(trade)
            good[index] = True
    return _in_close_order(rows[:, good])


def later(time: Timestamp, other: Timestamp) -> bool:
    """Whether an instant comes after another."""
    return bool(_INSTANT(time) > _INSTANT(other))


def _row(trade: Trade) -> tuple[int, int, int, int]:
    mae, mfe = trade.mae_minor, trade.mfe_minor
    return (
        microseconds(trade.closed_at),
        trade.pnl_minor,
        UNKNOWN if mae is None else mae,
        UNKNOWN if mfe is None else mfe,
    )


def _in_close_order(rows: Int64s) -> Trades:
    if (np.diff(rows[0]) < 0).any():
        rows = rows[:, np.argsort(rows[0], kind="stable")]
    pnl, mae, mfe = rows[1:].astype(np.int32)
    return Trades(closed_at=rows[0], pnl_minor=pnl, mae_minor=mae, mfe_minor=mfe)


def _plain(messages: Messages, digits: int) -> tuple[Int64s, Bools]:
    """The columns of `Trades`, int64[4, trades], and which trades are plain. Of others the columns say nothing."""
    pnls, maes, mfes, *unused = (list(map(attrgetter(name), messages)) for name in _AMOUNTS)
    seconds, nanos = _instants([message.closed_at for message in messages])
    pnl, plain = _amounts(pnls, digits)
    mae, mfe = (_amounts_or_nothing(texts, digits) for texts in (maes, mfes))
    plain &= mae[1] & (mae[0] <= 0) & mfe[1] & ((mfe[0] >= 0) | (mfe[0] == UNKNOWN))
    plain &= _is_instant(seconds, nanos) & ~_opened_later(messages, seconds, nanos)
    for texts in unused:
        if any(texts):
            plain &= _matching(texts, _NUMBER_OR_NOTHING)
    return np.stack([seconds * A_SECOND + nanos // 1_000, pnl, mae[0], mfe[0]]), plain


def _amounts(texts: Sequence[str], digits: int) -> tuple[Int64s, Bools]:
    """Each amount in minor units, and whether it is plain and within REACH; UNKNOWN where it is not plain."""
    plain = _matching(texts, _decimal(digits))
    amount = np.full(len(texts), UNKNOWN, np.int64)
    chosen = texts if plain.all() else compress(texts, plain)
    amount[plain] = np.rint(np.array(list(map(float, chosen))) * 10**digits)
    return amount, plain & (np.abs(amount) <= REACH)


def _amounts_or_nothing(texts: Sequence[str], digits: int) -> tuple[Int64s, Bools]:
    """The same of amounts that may be left out: UNKNOWN, and plain, where they are."""
    if not any(texts):
        return np.full(len(texts), UNKNOWN, np.int64), np.ones(len(texts), np.bool_)
    amount, plain = _amounts(texts, digits)
    return amount, plain | ~np.fromiter(map(bool, texts), np.bool_, len(texts))


def _matching(texts: Sequence[str], pattern: str) -> Bools:
    """Which texts are as the pattern."""
    together = "\n".join((*texts, ""))
    if together.count("\n") == len(texts) and re.fullmatch(f"(?:{pattern}\n)*+", together, re.ASCII):
        return np.ones(len(texts), np.bool_)
    each = re.compile(pattern, re.ASCII).fullmatch
    return np.fromiter((each(text) is not None for text in texts), np.bool_, len(texts))


def _decimal(digits: int) -> str:
    """Of a plain amount. Of so many digits a double holds it to far less than a minor unit."""
    return r"-?\d{1,9}" + (rf"(?:\.\d{{1,{digits}}})?" if digits else "")


def _instants(times: Sequence[Timestamp]) -> tuple[Int64s, Int64s]:
    """Seconds and nanoseconds."""
    seconds, nanos = (list(map(attrgetter(name), times)) for name in ("seconds", "nanos"))
    return np.array(seconds, np.int64), np.array(nanos, np.int64)


def _is_instant(seconds: Int64s, nanos: Int64s) -> Bools:
    """Whether it can be the close of a trade, and is not 1970's first: that may be one which is missing."""
    given = (seconds != 0) | (nanos != 0)
    return np.asarray(given & (seconds >= _FIRST) & (seconds < _LAST) & (nanos >= 0) & (nanos < 1_000_000_000))


def _opened_later(messages: Messages, seconds: Int64s, nanos: Int64s) -> Bools:
    """Whether a trade was opened after it was closed."""
    found = np.zeros(len(messages), np.bool_)
    given = [message.HasField("opened_at") for message in messages]
    if any(given):
        found |= given
        opened, opened_nanos = _instants([message.opened_at for message in compress(messages, found)])
        same, nanos = opened == seconds[found], nanos[found]
        found[found] = (opened > seconds[found]) | (same & (opened_nanos > nanos))
    return found


def _trade(checks: Checks, field: str, trade: trade_pb2.Trade, digits: int) -> Trade | None:
    closed_at = _closed_at(checks, field, trade)
    pnl = _amount(checks, f"{field}.pnl", trade.pnl, digits)
    mae = _amount(checks, f"{field}.mae", trade.mae, digits) if trade.mae else None
    mfe = _amount(checks, f"{field}.mfe", trade.mfe, digits) if trade.mfe else None
    if mae is not None and mae > 0:
        checks.bad(f"{field}.mae", f"{trade.mae} has the wrong sign: it is <= 0 by definition")
    if mfe is not None and mfe < 0:
        checks.bad(f"{field}.mfe", f"{trade.mfe} has the wrong sign: it is >= 0 by definition")
    if trade.HasField("opened_at") and trade.HasField("closed_at") and later(trade.opened_at, trade.closed_at):
        checks.bad(f"{field}.opened_at", "is later than closed_at: check both, and their time zones")
    for name in ("commission", "quantity"):
        if text := getattr(trade, name):
            checks.number(f"{field}.{name}", text)
    if closed_at is None or pnl is None:
        return None
    return Trade(closed_at=closed_at, pnl_minor=pnl, mae_minor=mae, mfe_minor=mfe)


def _amount(checks: Checks, field: str, text: str, digits: int) -> int | None:
    """An amount that a trade may make or lose; None if it is bad."""
    minor = checks.money(field, text, digits)
    if minor is not None and abs(minor) > REACH:
        checks.bad(field, f"{text} is too large: a trade may make or lose {from_minor(REACH, digits)}")
        return None
    return minor


def _closed_at(checks: Checks, field: str, trade: trade_pb2.Trade) -> datetime | None:
    if not trade.HasField("closed_at"):
        checks.bad(f"{field}.closed_at", "is missing: give the time at which the trade was closed")
        return None
    closed_at = decode_time(checks, f"{field}.closed_at", trade.closed_at)
    if closed_at is not None and not _FIRST <= trade.closed_at.seconds < _LAST:
        checks.bad(
            f"{field}.closed_at", f"is in the year {closed_at.year}: give the time at which the trade was closed"
        )
        return None
    return closed_at
