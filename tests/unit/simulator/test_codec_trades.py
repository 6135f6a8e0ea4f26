"""Trades that are read together are read as they would be one by one, the bad ones with the same words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from montecarlo.v1 import trade_pb2
from simulator.checks import Checks
from simulator.codec_trades import _trade, decode_trades
from simulator.errors import InvalidInput
from simulator.trades import Trade, Trades

PLAIN = st.decimals(-10_000, 10_000, places=2).map(str)
NO_AMOUNT = st.sampled_from(["", ".5", "5.", "1e3", "NaN", "1,5", " 1", "1\n2", "1.50\n", "\n", "٣", "--1", "1.2.3"])
ODD_AMOUNT = st.sampled_from(["0", "-0", "007", "+1.50", "1.5", "12", "1.505", "12345678901.00", "999999999999"])
LARGE_AMOUNT = st.sampled_from(["99999999.99", "5368709.12", "5368709.13", "-5368709.13"])
TEXTS = PLAIN | NO_AMOUNT | ODD_AMOUNT | LARGE_AMOUNT
SECONDS = st.integers(1_700_000_000, 1_700_000_005) | st.sampled_from(
    [0, -1, -62_135_596_800, -62_135_596_801, 253_402_300_799, 253_402_300_800]
)
NANOS = st.sampled_from([0, 0, 0, 1, 999, 1_000, 999_999_999, 1_000_000_000, -1])


@st.composite
def messages(draw: st.DrawFn) -> trade_pb2.Trade:
    """A trade with any of its fields given, mostly in a sound way."""
    trade = trade_pb2.Trade(pnl=draw(TEXTS))
    for name in ("mae", "mfe", "commission", "quantity"):
        if draw(st.booleans()):
            setattr(trade, name, draw(TEXTS))
    for name in ("closed_at", "opened_at"):
        if draw(st.integers(0, 4)):
            getattr(trade, name).seconds, getattr(trade, name).nanos = draw(SECONDS), draw(NANOS)
    return trade


def together(trades: list[trade_pb2.Trade], digits: int) -> tuple[list[Trade], list[tuple[str, str]]]:
    checks = Checks()
    found = decode_trades(checks, trades, digits)
    return list(found), told(checks)


def one_by_one(trades: list[trade_pb2.Trade], digits: int) -> tuple[list[Trade], list[tuple[str, str]]]:
    checks = Checks()
    found = [_trade(checks, f"trades[{index}]", trade, digits) for index, trade in enumerate(trades)]
    return sorted((each for each in found if each), key=lambda each: each.closed_at), told(checks)


def told(checks: Checks) -> list[tuple[str, str]]:
    try:
        checks.raise_if_any()
    except InvalidInput as invalid:
        return [(each.field, each.description) for each in invalid.violations]
    return []


@given(trades=st.lists(messages(), min_size=1, max_size=8), digits=st.sampled_from([0, 2, 3]))
@example(trades=[trade_pb2.Trade(pnl="1\n2"), trade_pb2.Trade(pnl="3")], digits=2)
def test_together_as_one_by_one(trades: list[trade_pb2.Trade], digits: int) -> None:
    assert together(trades, digits) == one_by_one(trades, digits)


def test_sound_trades_need_no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """As they come from exports: amounts with two decimals, one, or none; with and without what is not used."""
    first = datetime(2026, 1, 5, 10, tzinfo=UTC)
    plain = []
    for index, pnl in enumerate(["12.50", "-3", "0.1", "-0.05", "0"] * 3):
        trade = trade_pb2.Trade(pnl=pnl, mae="-20.00" if index % 3 else "", commission="1.25", quantity="+2")
        trade.closed_at.FromDatetime(first)
        trade.opened_at.FromDatetime(first)
        plain.append(trade)
    expected = one_by_one(plain, 2)
    monkeypatch.setattr("simulator.codec_trades._trade", lambda *_: pytest.fail("was read alone"))
    assert together(plain, 2) == expected


def test_trades_are_put_in_close_order_and_ties_stay_as_given() -> None:
    trades = []
    for second, pnl in ((5, "1.00"), (3, "2.00"), (5, "3.00"), (3, "4.00")):
        trade = trade_pb2.Trade(pnl=pnl)
        trade.closed_at.seconds = 1_700_000_000 + second
        trades.append(trade)
    found = decode_trades(Checks(), trades, 2)
    assert isinstance(found, Trades)
    assert found.pnl_minor.tolist() == [200, 400, 100, 300]
