"""The trades each path draws, one at a time, in plain Python integers.

Written from the definitions in the docstrings of `simulator.rng` and `simulator.models`: Threefry-2x32 of 13 rounds
on the counter (path, pair of steps), keyed by the seed and the upper half of the path's index; the first word of a
pair serves the even step, the second the odd one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count

from simulator.spec import Model

MASK = 0xFFFFFFFF
TWO_32 = 1 << 32
START_PAIR = MASK
PATH_COUNTER = 0x50415448

Day = list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How a future is drawn: from these days, each the P&Ls of its trades; `trades_per_day` None: as in the history."""

    history: Sequence[Day]
    model: Model
    block_length: float
    trades_per_day: int | None
    seed: int


def threefry(key: tuple[int, int], counter: tuple[int, int], rounds: int) -> tuple[int, int]:
    """Threefry-2x32 (Salmon, Moraes, Dror & Shaw 2011)."""
    schedule = (*key, key[0] ^ key[1] ^ 0x1BD11BDA)
    x, y = (counter[0] + schedule[0]) & MASK, (counter[1] + schedule[1]) & MASK
    for done in range(1, rounds + 1):
        turn = (13, 15, 26, 6, 17, 29, 16, 24)[(done - 1) % 8]
        x = (x + y) & MASK
        y = (y << turn | y >> (32 - turn)) & MASK ^ x
        if done % 4 == 0:
            x = (x + schedule[done // 4 % 3]) & MASK
            y = (y + schedule[(done // 4 + 1) % 3] + done // 4) & MASK
    return x, y


def words(seed: int, path: int) -> Iterator[int]:
    """The random word of each step of a path."""
    key = path_key(seed, path)
    for pair in count():
        yield from threefry(key, (path & MASK, pair), rounds=13)


def start_word(seed: int, path: int) -> int:
    """The random word that says where a path starts in the history."""
    return threefry(path_key(seed, path), (path & MASK, START_PAIR), rounds=13)[0]


def path_key(seed: int, path: int) -> tuple[int, int]:
    """The key of a path, from the seed's 64 bits and the upper half of the path's index."""
    return threefry((seed & MASK, seed >> 32), (path >> 32, PATH_COUNTER), rounds=20)


def draw_days(drawing: Drawing, path: int, days: int) -> list[Day]:
    """The first days of a path, each the P&Ls of its trades."""
    trades = {Model.IID: _independent, Model.DAY: _whole_days, Model.STATIONARY: _blocks}[drawing.model]
    found: list[Day] = [[]]
    for pnl, day_over in trades(drawing, path):
        found[-1].append(pnl)
        fixed = drawing.trades_per_day
        if len(found[-1]) == fixed or (fixed is None and day_over):
            if len(found) == days:
                break
            found.append([])
    return found


def _flat(drawing: Drawing) -> list[tuple[int, bool]]:
    """Every trade of the history, and whether it is the last of its day."""
    return [(pnl, index == len(day) - 1) for day in drawing.history for index, pnl in enumerate(day)]


def _independent(drawing: Drawing, path: int) -> Iterator[tuple[int, bool]]:
    """A trade is the upper half of word · n; its lower half, below the hazard, ends the day."""
    trades, lengths = _flat(drawing), [len(day) for day in drawing.history]
    in_day = 0
    for word in words(drawing.seed, path):
        index, remainder = divmod(word * len(trades), TWO_32)
        in_day += 1
        still_on = sum(length >= in_day for length in lengths)
        hazard = Fraction(sum(length == in_day for length in lengths), still_on)
        over = hazard == 1 or remainder < round(hazard * TWO_32)
        yield trades[index][0], over
        in_day = 0 if over else in_day


def _whole_days(drawing: Drawing, path: int) -> Iterator[tuple[int, bool]]:
    """The word of a day's first step draws the day; the words of its other steps are not used."""
    left: list[int] = []
    for word in words(drawing.seed, path):
        left = left or list(drawing.history[word * len(drawing.history) >> 32])
        pnl = left.pop(0)
        yield pnl, not left


def _blocks(drawing: Drawing, path: int) -> Iterator[tuple[int, bool]]:
    """A word below 2^32/L begins a block where it points itself; otherwise the next trade follows, wrapping round."""
    trades = _flat(drawing)
    threshold = round(Fraction(TWO_32) / Fraction(max(drawing.block_length, 1.0)))
    scale = len(trades) * TWO_32 // threshold
    at = start_word(drawing.seed, path) * len(trades) >> 32
    for word in words(drawing.seed, path):
        at = word * scale >> 32 if word < threshold else (at + 1) % len(trades)
        yield trades[at]
