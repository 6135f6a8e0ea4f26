"""Trading days agree with a walk through the minutes, in the hours about each change of clocks."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from simulator import history
from tests.reference import trading_days

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
    begun = trading_days.trading_day(at, zone, reset)
    named = begun + timedelta(days=1) if reset >= history.NOON else begun
    assert history.trading_day(at, zone, reset) == named
