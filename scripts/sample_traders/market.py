"""The market of the sample traders: daily bars of two indices, the contracts on them and the hours of New York.

Prices are the daily open, high, low and close that the package `arch` ships for the S&P 500 and the NASDAQ Composite,
rounded to ticks of a quarter point, so that every profit and loss is a whole number of cents.
"""

from __future__ import annotations

import csv
import gzip
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

TICKS_PER_POINT = 4
NEW_YORK = ZoneInfo("America/New_York")
OPENING = time(9, 30)
CLOSING = time(16)
EARLY_CLOSING = time(13)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One session of an index; prices in ticks."""

    day: date
    open: int
    high: int
    low: int
    close: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """A contract on an index, and the index's sessions in order."""

    instrument: str
    tick_value_cents: int
    commission_cents: int  # for one contract, in and out
    stamp_lead: timedelta  # how long before the bell this instrument's fills at the close are stamped
    bars: tuple[Bar, ...]

    def opened(self, index: int) -> datetime:
        """The opening bell of a session, UTC."""
        return datetime.combine(self.bars[index].day, OPENING, NEW_YORK).astimezone(UTC)

    def closed(self, index: int) -> datetime:
        """When a fill at the closing price of a session is stamped, UTC."""
        day = self.bars[index].day
        return datetime.combine(day, closing_time(day), NEW_YORK).astimezone(UTC) - self.stamp_lead

    def during(self, index: int, part: float) -> datetime:
        """The moment at which this part (0 to 1) of a session is over, UTC, to the second."""
        begin, end = self.opened(index), self.closed(index)
        return begin + timedelta(seconds=int(part * (end - begin).total_seconds()))

    def mean_close(self, index: int, sessions: int) -> float:
        """Mean close of the sessions that end with `index`, in ticks."""
        return sum(bar.close for bar in self.bars[index - sessions + 1 : index + 1]) / sessions

    def move(self, index: int, sessions: int = 20) -> float:
        """Root mean square of the close-to-close moves of the sessions that end with `index`, in ticks."""
        closes = [bar.close for bar in self.bars[index - sessions : index + 1]]
        return math.sqrt(sum((b - a) ** 2 for a, b in pairwise(closes)) / sessions)

    def contracts(self, index: int, risk_cents: int) -> int:
        """How many contracts make a usual day's move worth `risk_cents`, judged at the close of `index`; at least 1."""
        return max(1, round(risk_cents / (self.move(index) * self.tick_value_cents)))

    def sessions(self, first: date, last: date) -> range:
        """Indices of the sessions from `first` to `last`, both included."""
        inside = [index for index, bar in enumerate(self.bars) if first <= bar.day <= last]
        return range(inside[0], inside[-1] + 1)


def closing_time(day: date) -> time:
    """When New York closes on a trading day: 13:00 on 3 July, on the Friday after Thanksgiving and on 24 December."""
    after_thanksgiving = day.month == 11 and day.weekday() == 4 and 23 <= day.day <= 29
    return EARLY_CLOSING if after_thanksgiving or (day.month, day.day) in {(7, 3), (12, 24)} else CLOSING


def load_sp500() -> Market:
    """SPX5: 5 USD a point of the S&P 500, the size of a micro future."""
    return Market(
        instrument="SPX5",
        tick_value_cents=125,
        commission_cents=130,
        stamp_lead=timedelta(0),
        bars=_bars("sp500"),
    )


def load_nasdaq() -> Market:
    """IXC2: 2 USD a point of the NASDAQ Composite, the size of a micro future."""
    return Market(
        instrument="IXC2",
        tick_value_cents=50,
        commission_cents=130,
        stamp_lead=timedelta(seconds=1),
        bars=_bars("nasdaq"),
    )


def _bars(index: str) -> tuple[Bar, ...]:
    """Read the file itself: importing `arch` would load all of its models first, for seconds."""
    with gzip.open(_arch_folder() / "data" / index / f"{index}.csv.gz", "rt", newline="", encoding="utf-8") as file:
        return tuple(
            Bar(
                day=_date(row["Date"]),
                open=_ticks(row["Open"]),
                high=_ticks(row["High"]),
                low=_ticks(row["Low"]),
                close=_ticks(row["Close"]),
            )
            for row in csv.DictReader(file)
        )


def _arch_folder() -> Path:
    spec = find_spec("arch")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("The prices are in the package `arch`. Install the development requirements.")
    return Path(spec.submodule_search_locations[0])


def _date(month_day_year: str) -> date:
    month, day, year = map(int, month_day_year.split("/"))
    return date(year, month, day)


def _ticks(price: str) -> int:
    return round(float(price) * TICKS_PER_POINT)
