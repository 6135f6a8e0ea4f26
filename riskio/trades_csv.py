"""Trades as CSV with a header. What might change an amount unseen is refused, by the line where it stands."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from montecarlo.v1 import trade_pb2
from riskio.invalid import InvalidFile, nearest
from riskio.numbers import counted
from riskio.times import NotAnInstant, instant

REQUIRED: Final = ("closed_at", "pnl")
TEXTS: Final = ("pnl", "mae", "mfe", "commission", "instrument", "quantity", "currency")
OPTIONAL: Final = ("opened_at", *TEXTS[1:])
COLUMNS: Final = f"CSV with the columns closed_at and pnl; known too are {', '.join(OPTIONAL)}; others are ignored"
"""The format in a line, for the help of a command."""

_KNOWN: Final = (*REQUIRED, *OPTIONAL)
_NEAR: Final = 0.85
_NOT_WORD: Final = re.compile(r"[^a-z0-9]+")
_COMMA: Final = (
    "is there a decimal comma, or a comma between thousands? Write -12.50 and 1250.50, and put texts that hold a comma"
    " in quotes"
)


def read_trades(path: Path) -> list[trade_pb2.Trade]:
    """The trades of a file. What their texts are worth is the engine's to say.

    Raises: InvalidFile, OSError.
    """
    trades = [_trade(f"{path} line {line}", row) for line, row in _rows(path)]
    if not trades:
        raise InvalidFile(str(path), "holds no trade: below the header, give a line for each")
    return trades


def lines_of_trades(path: Path) -> list[int]:
    """On which line of the file each trade ends.

    Raises: InvalidFile, OSError.
    """
    return [line for line, _ in _rows(path)]


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The line of each row, and its texts by column."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.reader(lines, strict=True)
            columns = next(rows, [])
            _check_header(path, columns)
            for row in rows:
                if row:
                    _check_row(f"{path} line {rows.line_num}", columns, row)
                    yield rows.line_num, dict(zip(columns, map(str.strip, row), strict=True))
    except (UnicodeDecodeError, csv.Error) as broken:
        raise InvalidFile(str(path), f"is not a CSV file in UTF-8 ({broken}): save it as one") from broken


def _check_header(path: Path, columns: Sequence[str]) -> None:
    separator = next((each for each in (";", "\t", "|") if len(columns) == 1 and each in columns[0]), "")
    if separator:
        raise InvalidFile(
            f"{path} line 1", f"has its columns parted by {separator!r}: save it with commas between them"
        )
    plain = {_plain(column): column for column in columns}
    for name in REQUIRED:
        if name not in columns:
            near = f" (did you mean {plain[name]!r}?)" if name in plain else nearest(name, columns)
            raise InvalidFile(str(path), f"has no column {name!r}{near}: the header must name closed_at and pnl")
    for column in columns:
        if column and columns.count(column) > 1:
            raise InvalidFile(f"{path} line 1", f"names the column {column!r} twice: rename or remove one of them")
        meant = _meant(column, columns)
        if meant:
            why = f"has a column {column!r}, which is not known: write {meant!r} if that is meant, else rename it"
            raise InvalidFile(f"{path} line 1", why)


def _meant(column: str, columns: Iterable[str]) -> str:
    """The known column that one is by all but its case or spelling; empty if there is none."""
    plain = _plain(column)
    if column in _KNOWN or plain in _KNOWN:
        return "" if column == plain else plain
    missing = [name for name in _KNOWN if name not in columns]
    return next(iter(difflib.get_close_matches(plain, missing, n=1, cutoff=_NEAR)), "")


def _plain(column: str) -> str:
    return _NOT_WORD.sub("_", column.casefold()).strip("_")


def _check_row(place: str, columns: Sequence[str], row: Sequence[str]) -> None:
    fields = f"has {counted(len(row), 'field')}, but the header names {counted(len(columns), 'column')}"
    if len(row) > len(columns):
        raise InvalidFile(place, f"{fields}: {_COMMA}")
    if len(row) < len(columns):
        raise InvalidFile(place, f"{fields}: leave a field empty, not out")
    for column, text in zip(columns, row, strict=True):
        if not column and text.strip():
            raise InvalidFile(place, f"has {text.strip()!r} under a column without a name: {_COMMA}")


def _trade(place: str, row: Mapping[str, str]) -> trade_pb2.Trade:
    trade = trade_pb2.Trade()
    for name in TEXTS:
        setattr(trade, name, row.get(name, ""))
    trade.currency = trade.currency.upper()
    for name in ("closed_at", "opened_at"):
        text = row.get(name, "")
        if text:
            try:
                getattr(trade, name).FromDatetime(instant(text))
            except NotAnInstant as unreadable:
                raise InvalidFile(f"{place}, {name}", str(unreadable)) from None
    return trade
