"""How likely each draw leads to the loss of a day, against its definition followed trade by trade."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from simulator.day import Day
from simulator.within_a_day import AT_LIMIT, BANDS, CELLS, DEPTH, FEW_CELLS, MOST_ROWS, SETTLED, Guide, guide
from simulator.within_a_day import rows as rows_of
from tests.statistical.closed_forms import ruin_of_blocks_within, ruin_within

PNL = np.array([-3.0, 1.0, -1.0, 0.0, -2.0, 2.0, -1.0])
WORST = np.array([-3.0, 0.0, -4.0, 0.0, -2.0, -1.0, -1.0])
ENDS = np.array([False, True, False, False, True, True, True])
LIMIT = 8
"""Of so few minor units that each has a cell of its own, and what is found is exact."""

DAYS = {
    "three trades": Day(pnl=PNL, worst=WORST, trades=3),
    "seven trades": Day(pnl=PNL, worst=WORST, trades=7),
    "a hazard": Day(pnl=PNL, worst=WORST, hazard=np.array([0.25, 0.0, 0.5, 0.0, 0.25, 1.0])),
    "ends by chance": Day(pnl=PNL, worst=WORST, ends=ENDS),
    "blocks": Day(pnl=PNL, worst=WORST, ends=ENDS, restarts=0.4),
    "blocks, five trades": Day(pnl=PNL, worst=WORST, trades=5, restarts=0.4),
    "fixed blocks": Day(pnl=PNL, worst=WORST, ends=ENDS, block=3),
    "fixed blocks, longer than days and history": Day(pnl=PNL, worst=WORST, ends=ENDS, block=9),
    "fixed blocks, five trades": Day(pnl=PNL, worst=WORST, trades=5, block=3),
    "drawn whole": Day(pnl=PNL, worst=WORST, ends=np.ones(7, bool)),
}


def defined(day: Day) -> Callable[[int, int, int], float]:
    """The chance that the limit is met before the day is over if this draw comes, with so much room, after so many
    trades; of a day that may be long, within 40 more draws.
    """

    @cache
    def chance(draw: int, room: int, done: int, depth: int = 0) -> float:
        for trade in range(draw, draw + day.block):
            trade %= day.pnl.size  # noqa: PLW2901 — the history wraps
            if room + day.worst[trade] <= 0:
                return 1.0
            room, done = room + int(day.pnl[trade]), done + 1
            if done == day.trades or (day.ends is not None and day.ends[trade]):
                return 0.0
        goes_on = 1.0 if day.hazard is None else 1 - day.hazard[done - 1]
        if depth == 40 or not goes_on:
            return 0.0
        fresh = sum(chance(each, room, done, depth + 1) for each in range(day.pnl.size)) / day.pnl.size
        follows = chance((draw + day.block) % day.pnl.size, room, done, depth + 1) if day.restarts < 1 else 0.0
        return float(goes_on * (day.restarts * fresh + (1 - day.restarts) * follows))

    return chance


@pytest.mark.parametrize("name", DAYS)
def test_the_chance_of_each_draw_is_as_defined(name: str) -> None:
    day = DAYS[name]
    found, chance = guide(day, LIMIT), defined(day)
    assert found.width == 1
    for band, begin in enumerate(found.begins):
        rows = found.chances[band * found.cells :][: LIMIT + 1]
        expected = [[chance(draw, max(1, room), begin) for draw in range(7)] for room in range(LIMIT + 1)]
        assert rows == pytest.approx(np.array(expected), rel=1e-9 if day.ends is None else 3 * SETTLED)
        assert day.ends is None or begin == 0
    means = found.chances.mean(axis=1)
    assert ((means > 0) & (means < 1)).any()


@pytest.mark.parametrize("name", ["blocks", "blocks, five trades"])
def test_a_block_begins_anew_as_often_as_on_the_paths_that_breach(name: str) -> None:
    day = DAYS[name]
    found = guide(day, LIMIT)
    assert found.restarts is not None
    anew, goes_on = 0.4 * found.chances.mean(axis=1, keepdims=True), 0.6 * np.roll(found.chances, -1, axis=1)
    assert found.restarts * (anew + goes_on) == pytest.approx(np.broadcast_to(anew, found.restarts.shape))
    assert (found.restarts[(anew + goes_on == 0)] == 0.4).all(), "plain where no breach is possible"


@pytest.mark.parametrize("name", [name for name, day in DAYS.items() if day.restarts == 1])
def test_each_draw_is_fresh_otherwise(name: str) -> None:
    assert guide(DAYS[name], LIMIT).restarts is None


def test_what_no_day_can_lose_is_known() -> None:
    three = guide(DAYS["three trades"], 10)
    assert three.possible(10), "-3, -3 and then down to -4"
    assert not three.possible(11)
    whole = guide(DAYS["drawn whole"], 4)
    assert whole.possible(4)
    assert not whole.possible(5)


def test_where_not_all_draws_are_looked_at_a_loss_is_not_ruled_out() -> None:
    """1,000 trades of a day of which each may lose 1."""
    pnl = np.array([-1.0, 1.0, 1.0])
    busy = Day(pnl=pnl, worst=np.minimum(pnl, 0), trades=1_000)
    found = guide(busy, 5_000)
    assert not found.whole
    assert found.possible(5_000)
    assert guide(replace(busy, trades=DEPTH), 5_000).whole
    assert guide(DAYS["ends by chance"], LIMIT).whole
    assert not guide(DAYS["three trades"], 33_333).possible(33_333)


def heavy_tailed(count: int = 100) -> list[int]:
    """In minor units, so that a day's limit has many to a cell."""
    return np.rint(np.random.default_rng(1).standard_t(4, count) * 300 + 20).astype(int).tolist()


def of(history: list[int], *, trades: int, restarts: float = 1.0) -> Day:
    pnl = np.array(history, float)
    return Day(pnl=pnl, worst=np.minimum(pnl, 0), trades=trades, restarts=restarts)


def at(found: Guide, limit: int) -> float:
    """The chance of a breach on a day that opens with this room."""
    return float(found.chances[found.cell(limit)].mean())


@pytest.mark.parametrize("limit", [8, 24, 25, 31, 47, 86, 1_201, 54_321.5])
def test_a_cell_holds_whole_rooms_and_one_begins_with_the_limit(limit: float) -> None:
    found = guide(of([1, -1], trades=5), limit)
    assert found.cell(limit) == found.cell(math.ceil(limit) - 1) + 1
    edges = [room for room in range(1, math.ceil(limit) + 1) if found.cell(room) != found.cell(room - 1)]
    assert {after - before for before, after in pairwise(edges)} <= {found.width}
    assert found.cell(limit) <= round(AT_LIMIT * found.cells)
    assert found.cell(limit) >= min(limit, AT_LIMIT * found.cells / 2)


@pytest.mark.parametrize(("trades", "limit"), [(3, 5_000), (20, 10_000), (60, 18_000)])
def test_wide_cells_hardly_change_the_chance(trades: int, limit: int) -> None:
    """Taken as straight lines from cell to cell, chances of 1e-5 would come out several times too large."""
    history = heavy_tailed()
    found = guide(of(history, trades=trades), limit)
    truth = ruin_within(history, limit, trades)
    assert found.width > 80
    assert 1e-6 < truth < 1e-3
    assert 0.6 < at(found, limit) / truth < 1.6


def test_nor_that_of_blocks() -> None:
    history = heavy_tailed(60)
    found = guide(of(history, trades=8, restarts=0.5), 6_000)
    truth = ruin_of_blocks_within(history, 2.0, 6_000, 8)
    assert 1e-6 < truth < 1e-3
    assert 0.6 < at(found, 6_000) / truth < 1.6


@pytest.mark.parametrize("trades", [1, 2, 5, 6, 40])
def test_the_last_trades_of_a_day_have_bands_of_their_own(trades: int) -> None:
    found = guide(of(heavy_tailed(), trades=trades), 5_000)
    left = [trades - begin for begin in found.begins]
    assert left == [trades, *(each for each in reversed(BANDS) if each < trades)]
    assert found.cells == min(CELLS, MOST_ROWS // len(left))
    assert found.chances.shape == (found.cells * len(left), 100)
    assert found.chances.shape[0] <= MOST_ROWS


@pytest.mark.parametrize(("draws", "expected"), [(64, 128), (1 << 14, 128), (1 << 17, 16), (1 << 20, 4)])
def test_tables_stay_small_however_long_the_history_is(draws: int, expected: int) -> None:
    assert rows_of(draws) == expected
    found = guide(of(heavy_tailed(), trades=20), 7_000, most_rows=expected)
    assert len(found.chances) <= expected
    assert found.cells >= min(expected, FEW_CELLS)
    assert 0 < found.chances[found.cells // 2].mean() < 1
