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
NUMBERED = ((1, 2, 3), (4,), (5, 6), (7, 8, 9, 10), (11,))
"""A history whose trades tell which they are."""


@dataclass
class Reader:
    """One path: which trade comes next, and its odds."""

    plan: Plan
    words: Mapping[int, tuple[int, int]]

    def __post_init__(self) -> None:
        assert self.plan.weighting is not None
        found = tilted.draws(self.plan, self.plan.weighting)
        assert found is not None
        self.table, restarts = found.table, found.restarts
        history = self.plan.history
        self.trades, self.days, self.day_start = history.trades, history.days, history.day_start.tolist()
        self.last_of_day = history.last_of_day.tolist()
        self.plain_t = round(self.trades * TWO_32 / round(self.trades * max(1, self.plan.block_length)))
        shares = [self.plain_t / TWO_32] * self.trades if restarts is None else restarts.tolist()
        self.weighted_t = [round(each * TWO_32) for each in shares]
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

    def steps(self) -> Iterator[tuple[int, float]]:
        """The trade of each step, numbered from 1, and the odds after it."""
        assert self.plan.weighting is not None
        for step in range(STEPS):
            word, second = (self.words[step // 2 + high][step % 2] for high in (0, SECOND_STREAM))
            if self.within_a_day:
                self.total *= self.move(word, second, weighted=self.day == self.begins)
                if self.day_is_over():
                    self.day, self.before, self.total = self.day + 1, self.before + self.total, 1.0
                yield self.cursor + 1, self.before + self.total - self.day
                continue
            if step % self.stride == 0 and step // self.stride < self.plan.weighting.starts:
                self.total += 1
            self.total *= self.move(word, second, weighted=step >= self.begins)
            yield self.cursor + 1, self.total

    def day_is_over(self) -> bool:
        """Of blocks, and where days are fixed."""
        self.in_day += 1
        per_day = self.plan.spec.settings.trades_per_day
        over = self.last_of_day[self.cursor] if per_day is None else self.in_day == per_day
        self.in_day = 0 if over else self.in_day
        return bool(over)

    def move(self, word: int, second: int, *, weighted: bool) -> float:
        """To the next trade; the odds of that."""
        match self.plan.model:
            case Model.IID:
                self.cursor = self.chosen(word * self.trades >> 32, second, weighted=weighted)
                return float(self.table.ratio[self.cursor])
            case Model.DAY:
                if not self.new_day:
                    self.cursor += 1
                    self.new_day = self.last_of_day[self.cursor]
                    return 1.0
                day = self.chosen(word * self.days >> 32, second, weighted=weighted)
                self.cursor = self.day_start[day]
                self.new_day = self.last_of_day[self.cursor]
                return float(self.table.ratio[day])
            case Model.CIRCULAR:
                anew = self.in_block == 0
                self.in_block = (self.in_block + 1) % int(self.plan.block_length)
                if not anew:
                    self.cursor = (self.cursor + 1) % self.trades
                    return 1.0
                self.cursor = self.chosen(word * self.trades >> 32, second, weighted=weighted)
                return float(self.table.ratio[self.cursor])
            case _:
                return self.move_in_block(word, second, weighted=weighted)

    def move_in_block(self, word: int, second: int, *, weighted: bool) -> float:
        """Of the stationary bootstrap."""
        t = self.weighted_t[self.cursor]
        if word >= (t if weighted else self.plain_t):
            self.cursor = (self.cursor + 1) % self.trades
            return (TWO_32 - t) / (TWO_32 - self.plain_t)
        index, rest = divmod(second * self.trades, TWO_32)
        self.cursor = self.chosen(index, rest, weighted=weighted)
        return t / self.plain_t * float(self.table.ratio[self.cursor])

    def chosen(self, index: int, word: int, *, weighted: bool) -> int:
        kept = not weighted or word < int(self.table.cut[index])
        return index if kept else int(self.table.other[index])


def all_words(plan: Plan) -> list[dict[int, tuple[int, int]]]:
    """Of each path, by the pair of steps."""
    pairs = [START, START - 1, *(pair + high for pair in range(STEPS // 2) for high in (0, SECOND_STREAM))]
    found = {pair: np.array(words(plan, np.arange(PATHS, dtype=np.uint32), pair)).T.tolist() for pair in pairs}
    return [{pair: found[pair][path] for pair in pairs} for path in range(PATHS)]


@pytest.mark.parametrize(
    ("model", "fixed_days", "length", "starts", "by_low", "within_a_day"),
    [
        (Model.IID, True, None, 1, False, False),
        (Model.IID, False, None, 3, False, False),
        (Model.IID, True, None, 5, False, True),
        (Model.DAY, False, None, 3, True, False),
        (Model.DAY, False, None, 5, True, True),
        (Model.CIRCULAR, True, 4, 3, False, False),
        (Model.STATIONARY, True, 4, 1, False, False),
        (Model.STATIONARY, False, 4, 3, False, False),
        (Model.STATIONARY, False, 4, 3, True, False),
        (Model.STATIONARY, False, 1, 3, False, False),
        (Model.STATIONARY, False, 4, 5, False, True),
        (Model.STATIONARY, True, 4, 5, True, True),
    ],
)
def test_draws_are_weighted_as_is_written(
    model: Model, fixed_days: bool, length: int | None, starts: int, by_low: bool, within_a_day: bool
) -> None:
    settings = Settings(
        model=model, block_length=length, trades_per_day=2 if fixed_days else None, horizon_days=12, seed=5
    )
    weighting = Weighting(strength=0.15, starts=starts, by_low=by_low, within_a_day=within_a_day)
    plan = replace(planned(NUMBERED, settings), weighting=weighting)
    found = drawn(plan, PATHS, STEPS)
    steps = [list(Reader(plan, each).steps()) for each in all_words(plan)]
    expected = np.array([[trade for trade, _ in path] for path in steps]).T
    assert (found.pnl == expected).all()
    assert found.odds == pytest.approx(np.array([[odds for _, odds in path] for path in steps]).T, rel=1e-12)
    assert np.unique(found.odds[-1]).size > 10
