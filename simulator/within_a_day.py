"""How the draws of a day are weighted so that its loss meets the limit: by the chance that it then does.

Of what may come next, draw j gets its plain probability times f(j), the chance that the limit is met before the day is
over if j comes. So are the draws of the plain paths that breach (Doob 1957): hardly any is in vain, and all have nearly
the same weight, whatever makes a breach: one trade or many, the last of the day or one before. f depends on the room,
which is what a loss must come to for a breach, on where in its day the path is, and on what it may draw.

It is found by going back from the breach: f is 1 where the lowest point of a draw is a breach, else the chance to
breach from where it leads to, if the day goes on. Room is told apart by cells, and what else may end the path is left
out. Both cost some variance and no bias, as a path's weight is the ratio of what was drawn (L'Ecuyer & Tuffin 2008).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator import stopping
from simulator.day import Day, Float64s

MOST_ROWS: Final = 128
LEAST_ROWS: Final = 4
MOST_ENTRIES: Final = 1 << 21
"""Of the tables: a row for each cell of room in each band of a day, an entry for each draw in it."""

CELLS: Final = 32
"""Of room at most."""

FEW_CELLS: Final = 12
"""No more bands than leave so many cells to each."""

AT_LIMIT: Final = 0.75
"""The share of the cells that are below the limit. Those beyond are for a day that began with a profit."""

BANDS: Final = (1, 2, 3, 4, 6, 8, 12)
"""Trades to come in a day, or trades since it began, where a path is told apart from one with more; so one band more
than these.
"""

DEPTH: Final = 256
LEAST_DEPTH: Final = 16
MOST_WORK: Final = 1 << 26
"""Draws that are looked ahead at most; fewer where each takes long, so that they have so many entries; but at least as
many as bands tell apart.
"""

SETTLED: Final = 0.01
"""Chances that grow by less, relatively, if one draw more is looked ahead are good enough."""

MOST_TIMES: Final = 4
AS_STEEP: Final = 0.05
"""Chances are found anew, so many times at most, until between cells their logarithms are as steep as was assumed, but
for so much from one to the next.
"""

FIRST_LOOK: Final = 4
"""The first time one in so many draws is looked ahead: how steep chances are is then assumed but roughly."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guide:
    """Row b * cells + c holds from trade begins[b] of a day on, for room in cell c, which is that of a room r where it
    is the whole part of (r + offset) / width; the last cell has no end. chances: float64[rows, draws], f; restarts:
    float64[rows, draws], how likely a fresh draw comes after each, None where it always does; whole: f is of as many
    draws as a day may have.
    """

    begins: tuple[int, ...]
    cells: int
    width: int
    offset: int
    chances: Float64s
    restarts: Float64s | None
    whole: bool

    def possible(self, room: float) -> bool:
        """Whether a day that opens with so much room, minor units, may breach, as far as is known."""
        return not self.whole or bool(self.chances[self.cell(room)].any())

    def cell(self, room: float) -> int:
        """That of a room, minor units."""
        return min(self.cells - 1, (math.ceil(room) + self.offset) // self.width)


def rows(draws: int) -> int:
    """How many rows there may be of so many draws."""
    return max(LEAST_ROWS, min(MOST_ROWS, MOST_ENTRIES // draws))


def guide(day: Day, limit: float, most_rows: int = MOST_ROWS) -> Guide:
    """The weights for days that open with about so much room, minor units."""
    begins = _begins(day, max(1, most_rows // FEW_CELLS))
    grid = _Grid.of(limit, min(CELLS, most_rows // len(begins)))
    chances, whole = _chances(day, begins, grid)
    restarts = None if day.restarts == 1 else _restarts(day, chances)
    return Guide(
        begins=begins,
        cells=grid.rooms.size,
        width=grid.width,
        offset=grid.offset,
        chances=chances,
        restarts=restarts,
        whole=whole,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    """rooms: float64[cells], the least of each cell, all of whole minor units; limit: the cell that begins with it."""

    rooms: Float64s
    width: int
    offset: int
    limit: int

    @staticmethod
    def of(limit: float, cells: int) -> _Grid:
        room = math.ceil(limit)
        width = -(-room // round(AT_LIMIT * cells))
        offset = -room % width
        rooms = np.maximum(1.0, np.arange(cells) * float(width) - offset)
        return _Grid(rooms=rooms, width=width, offset=offset, limit=(room + offset) // width)


def _begins(day: Day, most: int) -> tuple[int, ...]:
    """The trades of a day with which its bands begin, at most so many."""
    bands = BANDS[: most - 1]
    if day.trades is not None:
        return (0, *(day.trades - left for left in reversed(bands) if left < day.trades))
    if day.hazard is not None:
        return (0, *(done for done in bands if done < day.hazard.size))
    return (0,)


def _chances(day: Day, begins: Sequence[int], grid: _Grid) -> tuple[Float64s, bool]:
    """f, float64[bands * cells, draws], of what is drawn after so many trades of a day: on average over the rooms of a
    cell. And whether as many draws are in it as a day may have.

    Found again and again: between cells it is as steep as it was found before.
    """
    steepness = 0.0
    for depth in _depths(grid.rooms.size * day.pnl.size):
        look = partial(_Look.of, day, grid=grid, steepness=steepness)
        draws, chances, whole = _looked_ahead(day, begins, grid, depth, cache(look))
        before, steepness = steepness, _steepness(chances, grid.limit)
        if abs(steepness - before) < AS_STEEP:
            break
    return np.concatenate([look(each.trades, smeared=True).chances(each.ahead) for each in draws]), whole


def _steepness(chances: Float64s, limit: int) -> float:
    """By how much the logarithm of the chance of a breach falls from cell to cell, about the limit."""
    near, far = chances[limit // 2].mean(), chances[limit].mean()
    return math.log(near / far) / (limit - limit // 2) if far else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draw:
    """One draw of a day, of so many trades. ahead: the chances beyond it, as `_expected` gives them."""

    trades: int
    ahead: Float64s


def _looked_ahead(
    day: Day, begins: Sequence[int], grid: _Grid, depth: int, look: Callable[[int], _Look]
) -> tuple[list[_Draw], Float64s, bool]:
    """What is drawn after so many trades of a day, the chances before the first of these draws, and whether they are of
    the whole day. depth: of so many draws; look: one draw ahead, of so many trades.
    """
    seen, settled = dict[int, _Draw](), False
    for ends_with in [begins[0]] if day.block == 1 else reversed(begins):
        chances = _expected(day, np.zeros((grid.rooms.size, day.pnl.size)))
        for begin, trades, goes_on in _backwards(day, ends_with, depth):
            stopping.end_if_unwanted()
            ahead = goes_on * chances
            latest = _Draw(trades=trades, ahead=ahead)
            if begin in begins:
                seen[begin] = latest
            chances = _expected(day, look(trades).chances(ahead))
            settled = bool((chances - ahead <= SETTLED * chances)[: grid.limit + 1].all())
            if day.ends is not None and settled:
                break
        seen[ends_with] = latest
    whole = settled if day.ends is not None else _draws_of(day) <= depth
    return [seen[begin] for begin in begins], chances, whole


def _depths(entries: int) -> list[int]:
    """How many draws are looked ahead each time, one having so many entries; where that takes long, twice at most."""
    most = max(LEAST_DEPTH, MOST_WORK // entries)
    depth = min(DEPTH, most)
    return [max(LEAST_DEPTH, depth // FIRST_LOOK), *[depth] * (MOST_TIMES - 1 if depth == DEPTH else 1)]


def _draws_of(day: Day) -> float:
    """How many draws a day has at most."""
    if day.hazard is not None:
        return day.hazard.size
    return math.inf if day.trades is None else math.ceil(day.trades / day.block)


def _backwards(day: Day, begin: int, depth: int) -> Iterator[tuple[int, int, float]]:
    """The draws of a day, the last one first, at most so many, back to that after so many trades: after how many trades
    each begins, how many it is, and how likely the day goes on after it.
    """
    if day.hazard is not None:
        for trade in reversed(range(begin, min(day.hazard.size, begin + depth))):
            yield trade, 1, 1 - day.hazard[trade]
    elif day.trades is None:
        for _ in range(depth):
            yield begin, day.block, 1.0
    else:
        starts = range(begin, day.trades, day.block)
        for start in reversed(starts[-depth:]):
            yield start, min(day.block, day.trades - start), 1.0


def _expected(day: Day, chances: Float64s) -> Float64s:
    """What f is of the draw after each, float64[cells, draws]; float64[cells, 1] where it is the same after all."""
    anew: Float64s = day.restarts * chances.mean(axis=1, keepdims=True)
    return anew if day.restarts == 1 else anew + (1 - day.restarts) * np.roll(chances, -1, axis=1)


def _restarts(day: Day, chances: Float64s) -> Float64s:
    anew, either = day.restarts * chances.mean(axis=1, keepdims=True), _expected(day, chances)
    found: Float64s = np.divide(anew, either, out=np.full(chances.shape, day.restarts), where=either > 0)
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Look:
    """One draw ahead of each cell, float64[cells, draws]. hits: the probability that the limit is met. The room that is
    else left is between that of one cell and of the next: low, high: by what to multiply the chances of either, 0 where
    the day is over. at: intp[cells, draws], where the former is in what `_expected` gives.
    """

    hits: Float64s
    at: npt.NDArray[np.intp]
    low: Float64s
    high: Float64s

    @staticmethod
    def of(day: Day, trades: int, *, grid: _Grid, steepness: float, smeared: bool = False) -> _Look:
        """A draw of so many trades, from the least room of each cell, or smeared from any room of it, but from no other
        than the limit, with which most days open. steepness: by how much the logarithm of the chances falls from cell
        to cell.
        """
        pnl, lowest, over = day.played(trades)
        rooms, cells = grid.rooms[:, None], grid.rooms.size
        width = np.where(smeared & (np.arange(cells) != grid.limit), grid.width, 1.0)[:, None]
        hits = np.clip((1 - lowest - rooms) / width, 0.0, 1.0)
        beyond = rooms + (width - 1) * (1 + hits) / 2 + pnl
        left = np.clip((beyond + grid.offset) / grid.width, 0, cells - 1)
        cell = np.minimum(left.astype(np.intp), cells - 2)
        goes_on = (1 - hits) * ~over
        return _Look(
            hits=hits,
            at=cell if day.restarts == 1 else cell * pnl.size + np.arange(pnl.size),
            low=goes_on * (cell + 1 - left) * np.exp(steepness * (cell - left)),
            high=goes_on * (left - cell) * np.exp(steepness * (cell + 1 - left)),
        )

    def chances(self, ahead: Float64s) -> Float64s:
        """f. ahead: what it is of the next draw, float64[cells, draws or 1]."""
        found: Float64s = self.hits + self.low * ahead.take(self.at)
        return found + self.high * ahead[1:].take(self.at)
