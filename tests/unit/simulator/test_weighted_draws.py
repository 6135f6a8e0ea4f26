"""Weighted draws as `simulator.kernel.models` defines them, followed word by word by a reader of that text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

from simulator import tilted, tilting
from simulator.engine import Plan
from simulator.kernel.block import SECOND_STREAM, START
from simulator.spec import Model, Settings
from simulator.tilting import Weighting
from tests.unit.simulator.draws import drawn, planned, words

TWO_32 = 1 << 32
PATHS, STEPS = 64, 24
NUMBERED = ((-1, 2, -3), (4,), (-5, 6), (7, 8, -9, 10), (-11,))
"""A history whose trades tell which they are."""
LIMIT = 11
"""Of a day's loss: one trade makes it, or several."""
ON_ONE_DAY = Weighting(strength=0.0, starts=5, within_a_day=True)


@dataclass
class Reader:
    """One path: which trade comes next, and its odds."""

    plan: Plan
    words: Mapping[int, tuple[int, int]]

    def __post_init__(self) -> None:
        assert self.plan.weighting is not None
        found = tilted.draws(self.plan, self.plan.weighting)
        assert found is not None
        self.tables, self.restarts, self.guide = found.tables, found.restarts, found.guide
        history = self.plan.history
        self.trades, self.days, self.day_start = history.trades, history.days, history.day_start.tolist()
        self.last_of_day = history.last_of_day.tolist()
        self.hazard = [round(each * TWO_32) for each in history.hazard.tolist()]
        self.plain_t = round(self.trades * TWO_32 / round(self.trades * max(1, self.plan.block_length)))
        self.pnl, self.room = history.pnl_minor.tolist(), LIMIT
        way = self.words[START - 1][0] * tilting.WAYS * self.plan.weighting.starts >> 32
        moment = way // (tilting.WAYS - tilting.PLAIN_WAYS)
        self.stride = tilted.stride(self.plan)
        self.within_a_day = self.plan.weighting.within_a_day
        self.begins = moment * (1 if self.within_a_day else self.stride)
        if moment >= self.plan.weighting.starts:
            self.begins = 10**9
        self.cursor = self.words[START][0] * self.trades >> 32
        self.new_day, self.in_block = True, 0
        self.in_day, self.day, self.before, self.total = 0, 0, 0.0, 1.0 if self.within_a_day else 0.0

    @property
    def row(self) -> int:
        """Of the tables."""
        if self.guide is None:
            return 0
        band = max(band for band, begin in enumerate(self.guide.begins) if begin <= self.in_day)
        cell = (max(0, self.room) + self.guide.offset) // self.guide.width
        return band * self.guide.cells + min(cell, self.guide.cells - 1)

    def weighted_t(self) -> int:
        """How many words begin a block after this trade."""
        restarts = self.restarts
        return self.plain_t if restarts is None else max(1, round(float(restarts[self.row, self.cursor]) * TWO_32))

    def steps(self) -> Iterator[tuple[int, float]]:
        """The P&L of each step, and the odds after it."""
        assert self.plan.weighting is not None
        for step in range(STEPS):
            word, second = (self.words[step // 2 + high][step % 2] for high in (0, SECOND_STREAM))
            if self.within_a_day:
                self.total *= self.move(word, second, weighted=self.day == self.begins)
                self.room += self.pnl[self.cursor]
                if self.day_is_over(word):
                    self.day, self.before, self.total = self.day + 1, self.before + self.total, 1.0
                    self.room = LIMIT
                yield self.pnl[self.cursor], self.before + self.total - self.day
                continue
            if step % self.stride == 0 and step // self.stride < self.plan.weighting.starts:
                self.total += 1
            self.total *= self.move(word, second, weighted=step >= self.begins)
            yield self.pnl[self.cursor], self.total

    def day_is_over(self, word: int) -> bool:
        """After a trade that was drawn by this word."""
        self.in_day += 1
        per_day = self.plan.spec.settings.trades_per_day
        if per_day is not None:
            over = self.in_day == per_day
        elif self.plan.model is Model.IID:
            over = word * self.trades % TWO_32 < self.hazard[self.in_day - 1] or self.in_day == len(self.hazard)
        else:
            over = self.last_of_day[self.cursor]
        self.in_day = 0 if over else self.in_day
        return bool(over)

    def move(self, word: int, second: int, *, weighted: bool) -> float:
        """To the next trade; the odds of that."""
        match self.plan.model:
            case Model.IID:
                self.cursor = self.chosen(word * self.trades >> 32, second, weighted=weighted)
                return float(self.tables[self.row].ratio[self.cursor])
            case Model.DAY:
                if not self.new_day:
                    self.cursor += 1
                    self.new_day = self.last_of_day[self.cursor]
                    return 1.0
                day = self.chosen(word * self.days >> 32, second, weighted=weighted)
                self.cursor = self.day_start[day]
                self.new_day = self.last_of_day[self.cursor]
                return float(self.tables[self.row].ratio[day])
            case Model.CIRCULAR:
                anew = self.in_block == 0
                self.in_block = (self.in_block + 1) % int(self.plan.block_length)
                if not anew:
                    self.cursor = (self.cursor + 1) % self.trades
                    return 1.0
                self.cursor = self.chosen(word * self.trades >> 32, second, weighted=weighted)
                return float(self.tables[self.row].ratio[self.cursor])
            case _:
                return self.move_in_block(word, second, weighted=weighted)

    def move_in_block(self, word: int, second: int, *, weighted: bool) -> float:
        """Of the stationary bootstrap."""
        t = self.weighted_t()
        if word >= (t if weighted else self.plain_t):
            self.cursor = (self.cursor + 1) % self.trades
            return (TWO_32 - t) / (TWO_32 - self.plain_t)
        index, rest = divmod(second * self.trades, TWO_32)
        self.cursor = self.chosen(index, rest, weighted=weighted)
        return t / self.plain_t * float(self.tables[self.row].ratio[self.cursor])

    def chosen(self, index: int, word: int, *, weighted: bool) -> int:
        table = self.tables[self.row]
        kept = not weighted or word < int(table.cut[index])
        return index if kept else int(table.other[index])


def all_words(plan: Plan) -> list[dict[int, tuple[int, int]]]:
    """Of each path, by the pair of steps."""
    pairs = [START, START - 1, *(pair + high for pair in range(STEPS // 2) for high in (0, SECOND_STREAM))]
    found = {pair: np.array(words(plan, np.arange(PATHS, dtype=np.uint32), pair)).T.tolist() for pair in pairs}
    return [{pair: found[pair][path] for pair in pairs} for path in range(PATHS)]


@pytest.mark.parametrize(
    ("model", "per_day", "length", "weighting"),
    [
        (Model.IID, 2, None, Weighting(strength=0.15, starts=1)),
        (Model.IID, None, None, Weighting(strength=0.15, starts=3)),
        (Model.DAY, None, None, Weighting(strength=0.15, starts=3, by_low=True)),
        (Model.CIRCULAR, 2, 4, Weighting(strength=0.15, starts=3)),
        (Model.STATIONARY, 2, 4, Weighting(strength=0.15, starts=1)),
        (Model.STATIONARY, None, 4, Weighting(strength=0.15, starts=3)),
        (Model.STATIONARY, None, 4, Weighting(strength=0.15, starts=3, by_low=True)),
        (Model.STATIONARY, None, 1, Weighting(strength=0.15, starts=3)),
        (Model.IID, 7, None, ON_ONE_DAY),
        (Model.IID, None, None, ON_ONE_DAY),
        (Model.DAY, None, None, ON_ONE_DAY),
        (Model.CIRCULAR, 7, 3, ON_ONE_DAY),
        (Model.CIRCULAR, None, 3, ON_ONE_DAY),
        (Model.STATIONARY, 7, 4, ON_ONE_DAY),
        (Model.STATIONARY, None, 4, ON_ONE_DAY),
        (Model.STATIONARY, None, 1, ON_ONE_DAY),
    ],
)
def test_draws_are_weighted_as_is_written(
    model: Model, per_day: int | None, length: int | None, weighting: Weighting
) -> None:
    settings = Settings(model=model, block_length=length, trades_per_day=per_day, horizon_days=12, seed=5)
    plan = replace(planned(NUMBERED, settings, daily_limit=LIMIT), weighting=weighting)
    found = drawn(plan, PATHS, STEPS)
    steps = [list(Reader(plan, each).steps()) for each in all_words(plan)]
    expected = np.array([[pnl for pnl, _ in path] for path in steps]).T
    assert (found.pnl == expected).all()
    assert found.odds == pytest.approx(np.array([[odds for _, odds in path] for path in steps]).T, rel=1e-12)
    assert np.unique(found.odds[-1]).size > 4
