"""Trading days agree with a walk through the minutes, in the hours about each change of clocks."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.trades import microseconds
from simulator.trading_days import NOON, trading_day, trading_days
from tests.reference import trading_days as walk

CHANGES = (
    ("America/New_York", datetime(2024, 3, 10, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2024, 11, 3, 6, tzinfo=UTC)),
    ("Europe/Prague", datetime(2024, 3, 31, 1, tzinfo=UTC)),
    ("Europe/Prague", datetime(2024, 10, 27, 1, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2024, 4, 6, 15, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2024, 10, 5, 15, 30, tzinfo=UTC)),
    ("America/Sao_Paulo", datetime(2018, 2, 18, 2, tzinfo=UTC)),
    ("Asia/Beirut", datetime(2024, 3, 30, 22, tzinfo=UTC)),
)
"""When clocks changed: forward and back, by an hour and by half of one, over midnight and elsewhere."""

NEAR = st.builds(time, hour=st.sampled_from([0, 1, 2, 3, 23]), minute=st.sampled_from([0, 29, 30, 31, 59]))


@given(
    change=st.sampled_from(CHANGES),
    minutes=st.integers(-150, 150) | st.integers(-2_000, 2_000),
    reset=NEAR | st.times().map(lambda at: at.replace(second=0, microsecond=0)),
)
def test_days_turn_as_a_walk_through_the_minutes_finds(change: tuple[str, datetime], minutes: int, reset: time) -> None:
    """A day that begins at noon or later is named for the next date."""
    zone, at = ZoneInfo(change[0]), change[1] + timedelta(minutes=minutes)
    begun = walk.trading_day(at, zone, reset)
    named = begun + timedelta(days=1) if reset >= NOON else begun
    assert trading_day(at, zone, reset) == named


INSTANTS = st.integers(-(2**31), 2**31).map(lambda second: datetime.fromtimestamp(second, UTC))


@given(
    instants=st.lists(INSTANTS, max_size=20),
    near=st.lists(st.tuples(st.sampled_from(CHANGES), st.integers(-3_000, 3_000)), max_size=20),
    zone=st.sampled_from(["UTC", "Africa/Casablanca", "Asia/Kathmandu", *(name for name, _ in CHANGES)]),
    reset=NEAR | st.times().map(lambda at: at.replace(microsecond=0)),
)
def test_days_of_a_history_are_those_of_its_instants(
    instants: list[datetime], near: list[tuple[tuple[str, datetime], int]], zone: str, reset: time
) -> None:
    at = [*instants, *(change + timedelta(minutes=minutes) for (_, change), minutes in near)]
    found = trading_days(np.array([microseconds(each) for each in at], np.int64), ZoneInfo(zone), reset)
    assert found.tolist() == [trading_day(each, ZoneInfo(zone), reset).toordinal() for each in at]


def test_the_first_and_the_last_days_of_the_calendar_have_a_day() -> None:
    """Where the offset of the day before or after cannot be asked for."""
    at = [datetime(1, 1, 1, 12, tzinfo=UTC), datetime(9999, 12, 31, 12, tzinfo=UTC)]
    found = trading_days(np.array([microseconds(each) for each in at], np.int64), ZoneInfo("UTC"), time())
    assert found.tolist() == [each.toordinal() for each in at]
