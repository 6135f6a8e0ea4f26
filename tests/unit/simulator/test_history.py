"""Which trading day a trade belongs to, clock changes included, and the arrays made of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from simulator.history import build_history
from simulator.spec import TradingDay
from simulator.trades import Trade, Trades
from simulator.trading_days import trading_day

NEW_YORK = ZoneInfo("America/New_York")
PRAGUE = ZoneInfo("Europe/Prague")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "zone", "reset", "day"),
    [
        ("2026-01-05T22:59", PRAGUE, time(0), date(2026, 1, 5)),
        ("2026-01-05T23:00", PRAGUE, time(0), date(2026, 1, 6)),
        ("2026-07-05T21:59", PRAGUE, time(0), date(2026, 7, 5)),
        ("2026-07-05T22:00", PRAGUE, time(0), date(2026, 7, 6)),
        ("2026-01-05T21:59", NEW_YORK, time(17), date(2026, 1, 5)),
        ("2026-01-05T22:00", NEW_YORK, time(17), date(2026, 1, 6)),
        ("2026-07-06T20:59", NEW_YORK, time(17), date(2026, 7, 6)),
        ("2026-07-06T21:00", NEW_YORK, time(17), date(2026, 7, 7)),
        ("2026-01-05T02:59", ZoneInfo("UTC"), time(3), date(2026, 1, 4)),
        ("2026-01-05T03:00", ZoneInfo("UTC"), time(3), date(2026, 1, 5)),
    ],
)
def test_the_day_turns_when_the_wall_clock_of_the_zone_reads_the_reset(
    at: str, zone: ZoneInfo, reset: time, day: date
) -> None:
    assert trading_day(utc(at), zone, reset) == day


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-11-01T05:29", date(2026, 10, 31)),
        ("2026-11-01T05:30", date(2026, 11, 1)),
        ("2026-11-01T06:15", date(2026, 11, 1)),
        ("2026-11-01T06:45", date(2026, 11, 1)),
    ],
)
def test_a_day_begins_once_when_clocks_go_back_over_its_reset(at: str, day: date) -> None:
    assert trading_day(utc(at), NEW_YORK, time(1, 30)) == day


@pytest.mark.parametrize(
    ("at", "day"), [("2026-03-08T06:59", date(2026, 3, 7)), ("2026-03-08T07:00", date(2026, 3, 8))]
)
def test_a_day_begins_with_the_gap_when_clocks_skip_its_reset(at: str, day: date) -> None:
    assert trading_day(utc(at), NEW_YORK, time(2, 30)) == day


def test_history_holds_days_as_stretches_of_trades() -> None:
    closes = ["2026-01-05T10:00", "2026-01-05T11:00", "2026-01-06T10:00", "2026-01-09T09:00", "2026-01-09T09:30"]
    trades = Trades.of(
        Trade(closed_at=utc(at), pnl_minor=pnl) for at, pnl in zip(closes, (5, -3, 7, 1, 2), strict=True)
    )
    history = build_history(trades, TradingDay())
    assert history.pnl_minor.tolist() == [5, -3, 7, 1, 2]
    assert history.day_start.tolist() == [0, 2, 3]
    assert history.day_trades.tolist() == [2, 1, 2]
    assert history.last_of_day.tolist() == [False, True, True, False, True]
    assert (history.trades, history.days) == (5, 3)
    assert (history.first_day, history.last_day) == (date(2026, 1, 5), date(2026, 1, 9))


def trade(second: int, pnl: int, mae: int | None = None, mfe: int | None = None) -> Trade:
    return Trade(closed_at=utc(f"2026-01-05T10:00:{second:02}"), pnl_minor=pnl, mae_minor=mae, mfe_minor=mfe)


def test_excursions_are_kept_where_every_trade_has_them() -> None:
    history = build_history(Trades.of([trade(0, 5, -3, 7), trade(1, -5, -9)]), TradingDay())
    assert history.mae_minor is not None
    assert history.mae_minor.tolist() == [-3, -9]
    assert history.mfe_minor is None


def test_trades_that_equal_an_earlier_one_are_counted() -> None:
    same, other_time, other_low = trade(0, 5, -3), trade(1, 5, -3), trade(0, 5, -4)
    assert build_history(Trades.of([same, same, same, other_time, other_low]), TradingDay()).duplicates == 2
    assert build_history(Trades.of([same, other_low, other_time]), TradingDay()).duplicates == 0
