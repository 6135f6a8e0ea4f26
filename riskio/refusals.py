"""What an engine or a server says of bad fields, as lines for a person who gave files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from riskio.invalid import InvalidFile
from riskio.trades_csv import lines_of_trades

FIRST: Final = 3
"""Fields named of those of which the same is said."""

_INDEX: Final = re.compile(r"\[\d+\]")
_FIELD: Final = r"[a-z_]+(?:\[\d+\])?(?:\.[a-z_]+(?:\[\d+\])?)*"
_SAID: Final = re.compile(rf"(?P<field>{_FIELD}): (?P<description>.*)", re.DOTALL)
_BETWEEN: Final = re.compile(rf"; (?={_FIELD}: )")
_TRADE: Final = re.compile(r"(?:^|\.)trades\[(\d*)\]")


def told(violations: Iterable[tuple[str, str]], trades: Path | None = None) -> list[str]:
    """One line for each thing said; `trades` is the CSV file that held the trades, whose lines are named too."""
    groups: dict[tuple[str, str], list[str]] = {}
    for field, description in violations:
        groups.setdefault((_INDEX.sub("[]", field), description), []).append(field)
    of_trades = any(_TRADE.search(field) for field, _ in groups)
    places = _places(trades) if trades and of_trades else {}
    return [f"{_place(fields, places, trades)}: {description}" for (_, description), fields in groups.items()]


def told_in_words(text: str, trades: Path | None = None) -> list[str]:
    """The same of violations that stand in one text, as in "trades[0].pnl: is bad; rules: are missing"."""
    parts = [_SAID.fullmatch(each) for each in _BETWEEN.split(text)]
    found = [(part["field"], part["description"]) for part in parts if part]
    return told(found, trades) if len(found) == len(parts) else [text]


def _place(fields: Sequence[str], lines: Mapping[int, int], trades: Path | None) -> str:
    more = f" and {len(fields) - FIRST} more" if len(fields) > FIRST else ""
    found = [lines.get(int(match[1])) for field in fields[:FIRST] if (match := _TRADE.search(field))]
    if not found or None in found:
        return ", ".join(fields[:FIRST]) + more
    word, rest = ("lines", ", …") if len(fields) > 1 else ("line", "")
    return f"{trades} {word} {', '.join(map(str, found))}{more} ({fields[0]}{rest})"


def _places(trades: Path) -> dict[int, int]:
    """The line of each trade; none of what cannot be read a second time, such as a pipe."""
    try:
        return dict(enumerate(lines_of_trades(trades))) if trades.is_file() else {}
    except (InvalidFile, OSError):
        return {}
