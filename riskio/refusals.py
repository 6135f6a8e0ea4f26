"""What an engine or a server says of bad fields, as lines for a person who gave files and flags."""

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
_FIELDS: Final = rf"{_FIELD}(?:, {_FIELD})*(?: and \d+ more)?"
_SAID: Final = re.compile(rf"(?P<fields>{_FIELDS}): (?P<description>.*)", re.DOTALL)
_BETWEEN: Final = re.compile(rf"; (?={_FIELDS}: )")
_MORE: Final = re.compile(r" and (\d+) more")
_SETTING: Final = re.compile(r"\bsettings\.(?P<name>[a-z_]+)(?:\[(?P<index>\d+)\])?(?P<part>(?:\.[a-z_]+)*)")
_FLAGS: Final = {"scenarios": "--scenario", "time_budget_s": "--time-budget"}
"""The flags that are called otherwise than the settings they make."""

_OF_SUBJECT: Final = {"subject.assessment_id": "--assessment", "subject.funded_account_id": "--funded-account"}
_WHOLE: Final = {"precision": (".outcome", ".half_width")}
"""The parts of a setting that its flag tells together."""

_TRADE: Final = re.compile(r"(?:^|\.)trades\[(\d*)\]")


def told(violations: Iterable[tuple[str, str]], trades: Path | None = None) -> list[str]:
    """One line for each thing said; `trades` is the CSV file that held the trades, whose lines are named too."""
    groups: dict[tuple[str, str], list[str]] = {}
    for field, description in violations:
        groups.setdefault((_INDEX.sub("[]", field), description), []).append(field)
    return _lines([(fields, 0, description) for (_, description), fields in groups.items()], trades)


def told_in_words(text: str, trades: Path | None = None) -> list[str]:
    """The same of violations that stand in one text, as in "trades[0].pnl, trades[1].pnl: are bad; rules: is odd"."""
    parts = [_SAID.fullmatch(each) for each in _BETWEEN.split(text)]
    found = [(*_named(part["fields"]), part["description"]) for part in parts if part]
    return _lines(found, trades) if len(found) == len(parts) else [text]


def _named(fields: str) -> tuple[list[str], int]:
    """The fields that stand in a text, and how many more there were."""
    more = _MORE.search(fields)
    return _MORE.sub("", fields).split(", "), int(more[1]) if more else 0


def flag(field: str) -> str:
    """The flag of a command that makes this field; the field itself if there is none."""
    return _OF_SUBJECT.get(field) or _SETTING.sub(_flag, field)


def _flag(setting: re.Match[str]) -> str:
    name, part = setting["name"], setting["part"]
    shown = _FLAGS.get(name, f"--{name.replace('_', '-')}")
    if int(setting["index"] or 0) > 0:
        shown += f" number {int(setting['index']) + 1}"
    return shown if not part or part in _WHOLE.get(name, ()) else f"{shown}, {part.rpartition('.')[2]}"


def _lines(said: Sequence[tuple[Sequence[str], int, str]], trades: Path | None) -> list[str]:
    """Of fields, how many more and what is said of them."""
    of_trades = any(_TRADE.search(field) for fields, _, _ in said for field in fields)
    places = _places(trades) if trades and of_trades else {}
    return [
        f"{_place(fields, hidden, places, trades)}: {_SETTING.sub(_flag, description)}"
        for fields, hidden, description in said
    ]


def _place(fields: Sequence[str], hidden: int, lines: Mapping[int, int], trades: Path | None) -> str:
    hidden += max(0, len(fields) - FIRST)
    more = f" and {hidden} more" if hidden else ""
    found = [lines.get(int(match[1])) for field in fields[:FIRST] if (match := _TRADE.search(field))]
    if not found or None in found:
        return ", ".join(map(flag, fields[:FIRST])) + more
    word, rest = ("lines", ", …") if len(fields) > 1 else ("line", "")
    return f"{trades} {word} {', '.join(map(str, found))}{more} ({fields[0]}{rest})"


def _places(trades: Path) -> dict[int, int]:
    """The line of each trade; none of what cannot be read a second time, such as a pipe."""
    try:
        return dict(enumerate(lines_of_trades(trades))) if trades.is_file() else {}
    except (InvalidFile, OSError):
        return {}
