"""The trades each path draws, one at a time, in plain Python integers.

Written from the definitions in the docstrings of `simulator.rng` and `simulator.kernel.models`: Threefry-2x32 of 13
rounds on the counter (path, pair of steps), keyed by the seed and the upper half of the path's index; the first word of
a pair serves the even step, the second the odd one. The pairs from 2^31 on serve what draws a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, islice

from simulator.spec import Model
from tests.reference.quantiles import Table
from tests.reference.rule_book import Day, Deal
from tests.reference.stress import replace_winners, with_worst_day

MASK = 0xFFFFFFFF
TWO_32 = 1 << 32
START_PAIR = MASK
SECOND_PAIRS = 1 << 31
GOLDEN = 2_654_435_769
PATH_COUNTER = 0x50415448


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How a future is drawn: from these days, each its trades, stressed already; `trades_per_day` None: as there.

    table: of the fitted distribution; fewer_winners: the share that is replaced; worst_day: whether it strikes, among
    the days of the horizon.
    """

    history: Sequence[Day]
    model: Model
    block_length: float
    trades_per_day: int | None
    seed: int
    table: Table | None = None
    fewer_winners: float = 0.0
    worst_day: bool = False


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


def second_words(seed: int, path: int) -> Iterator[int]:
    """The second random word of each step, for those who draw twice."""
    key = path_key(seed, path)
    for pair in count(SECOND_PAIRS):
        yield from threefry(key, (path & MASK, pair), rounds=13)


def start_words(seed: int, path: int) -> tuple[int, int]:
    """The random words that say where a path starts in the history, and on which day the worst one strikes."""
    return threefry(path_key(seed, path), (path & MASK, START_PAIR), rounds=13)


def path_key(seed: int, path: int) -> tuple[int, int]:
    """The key of a path, from the seed's 64 bits and the upper half of the path's index."""
    return threefry((seed & MASK, seed >> 32), (path >> 32, PATH_COUNTER), rounds=20)


def draw_days(drawing: Drawing, path: int, days: int) -> Iterator[list[Deal]]:
    """The days of a path up to its horizon, each its trades."""
    drawn = TRADES[drawing.model](drawing, path)
    if drawing.fewer_winners:
        drawn = replace_winners(drawn, drawing.history, drawing.fewer_winners, second_words(drawing.seed, path))
    found = islice(into_days(drawn, drawing.trades_per_day), days)
    if not drawing.worst_day:
        return found
    return with_worst_day(found, drawing.history, start_words(drawing.seed, path)[1], days)


def into_days(drawn: Iterable[tuple[Deal, bool]], trades_per_day: int | None) -> Iterator[list[Deal]]:
    """Days of a fixed number of trades, or until a trade ends its day."""
    day: list[Deal] = []
    for deal, day_over in drawn:
        day.append(deal)
        if len(day) == trades_per_day or (trades_per_day is None and day_over):
            yield day
            day = []


def _flat(drawing: Drawing) -> list[tuple[Deal, bool]]:
    """Every trade of the history, and whether it is the last of its day."""
    return [(deal, index == len(day) - 1) for day in drawing.history for index, deal in enumerate(day)]


def _independent(drawing: Drawing, path: int) -> Iterator[tuple[Deal, bool]]:
    """A trade is the upper half of word · n; its lower half, below the hazard, ends the day."""
    trades, in_day = _flat(drawing), 0
    for word in words(drawing.seed, path):
        index, remainder = divmod(word * len(trades), TWO_32)
        in_day += 1
        over = drawing.trades_per_day is None and _day_is_over(drawing, in_day, remainder)
        yield trades[index][0], over
        in_day = 0 if over else in_day


def _day_is_over(drawing: Drawing, in_day: int, remainder: int) -> bool:
    """Whether a day ends after so many trades, by the hazard of the history's days."""
    lengths = [len(day) for day in drawing.history]
    still_on = sum(length >= in_day for length in lengths)
    hazard = Fraction(sum(length == in_day for length in lengths), still_on)
    return hazard == 1 or remainder < round(hazard * TWO_32)


def _fitted(drawing: Drawing, path: int) -> Iterator[tuple[Deal, bool]]:
    """A word's amount is read off the table; the lower half of word x GOLDEN, below the hazard, ends the day."""
    assert drawing.table is not None
    in_day = 0
    for word in words(drawing.seed, path):
        in_day += 1
        over = drawing.trades_per_day is None and _day_is_over(drawing, in_day, word * GOLDEN & MASK)
        yield Deal(drawing.table.amount(word)), over
        in_day = 0 if over else in_day


def _whole_days(drawing: Drawing, path: int) -> Iterator[tuple[Deal, bool]]:
    """The word of a day's first step draws the day; the words of its other steps are not used."""
    left: list[Deal] = []
    for word in words(drawing.seed, path):
        left = left or list(drawing.history[word * len(drawing.history) >> 32])
        deal = left.pop(0)
        yield deal, not left


def _blocks(drawing: Drawing, path: int) -> Iterator[tuple[Deal, bool]]:
    """A word below 2^32/L begins a block where it points itself; otherwise the next trade follows, wrapping round."""
    trades = _flat(drawing)
    scale = max(len(trades), round(len(trades) * Fraction(drawing.block_length)))
    threshold = round(Fraction(len(trades) * TWO_32, scale))
    at = start_words(drawing.seed, path)[0] * len(trades) >> 32
    for word in words(drawing.seed, path):
        at = word * scale >> 32 if word < threshold else (at + 1) % len(trades)
        yield trades[at]


def _equal_blocks(drawing: Drawing, path: int) -> Iterator[tuple[Deal, bool]]:
    """The word of a block's first step draws where it begins; its other trades follow, wrapping round."""
    trades, length = _flat(drawing), int(drawing.block_length)
    at = 0
    for step, word in enumerate(words(drawing.seed, path)):
        at = word * len(trades) >> 32 if step % length == 0 else (at + 1) % len(trades)
        yield trades[at]


TRADES: Mapping[Model, Callable[[Drawing, int], Iterator[tuple[Deal, bool]]]] = {
    Model.IID: _independent,
    Model.DAY: _whole_days,
    Model.STATIONARY: _blocks,
    Model.CIRCULAR: _equal_blocks,
    Model.NORMAL: _fitted,
    Model.STUDENT_T: _fitted,
}
