"""One plan on the device: loads it once, runs its blocks, brings finished paths back to the host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator import loading, loading_rules, rng, xla
from simulator.bins import Binned
from simulator.compiled import Prepared
from simulator.ended import Bins, Ended
from simulator.errors import AmountsTooLarge
from simulator.planning import Plan
from simulator.shape import Shape
from simulator.tally import Finished

TILE: Final = 256
"""Lanes a core visits at a time: their state, a few dozen words each, stays in its nearest cache."""
BLOCKS_ON_A_GPU: Final = 32
"""Blocks a GPU runs together, in TILES_ON_A_GPU tiles: each step of a tile should keep all of it busy."""
TILES_ON_A_GPU: Final = 4


class Stretch(NamedTuple):
    """Consecutive paths that run together, and whether they are those of the equity fan."""

    first: int
    end: int
    with_fan: bool = False


class Running(NamedTuple):
    """What the device has been told to find, of so many paths."""

    ended: Ended
    bins: Bins
    paths: int

    def wait(self) -> None:
        """Until the paths have ended."""
        self.ended.outcome.block_until_ready()


class Device:
    """A loaded plan. Safe to use from many threads."""

    def __init__(self, plan: Plan) -> None:
        """Pads and converts the plan's numbers; nothing is compiled yet."""
        self._plan = plan
        lanes, tile = lanes_and_tile(plan.block_paths, xla.backend())
        self._lanes = lanes
        shape = Shape(
            features=loading_rules.features(plan),
            model=plan.model,
            fixed_days=plan.spec.settings.trades_per_day is not None,
            lanes=lanes,
            tile=tile,
        )
        tables, levels = loading.tables(plan), loading_rules.levels(plan)
        self.usual = Prepared(shape, tables, levels, None)
        self._shown, self._rows = min(plan.fan_paths, plan.block_paths), plan.fan_days
        if self._shown:
            fan = loading.fan(plan.shown_days, plan.horizon_days)
            self._of_fan = Prepared(replace(shape, lanes=self._shown, tile=self._shown), tables, levels, fan)

    def finished(self, blocks: range) -> Finished:
        """The paths of consecutive blocks, without those beyond the plan's last."""
        return Finished.joined([self.brought(self.run(each)) for each in self.stretches(blocks)])

    def stretches(self, blocks: range) -> list[Stretch]:
        """The paths of consecutive blocks, at least one, as the device runs them: those of the fan first."""
        first, end = blocks.start * self._plan.block_paths, blocks.stop * self._plan.block_paths
        end = min(end, self._plan.paths)
        shown = max(first, min(end, self._shown))
        found = [Stretch(first, shown, with_fan=True)] if first < shown else []
        return found + [Stretch(*each) for each in stretches(shown, end, self._lanes)]

    def run(self, stretch: Stretch) -> Running:
        """What the device will have found of these paths. It does not wait for them; those that a thread has begun end
        in that order.
        """
        prepared = self._of_fan if stretch.with_fan else self.usual
        count = stretch.end - stretch.first
        key = _key(self._plan.seed, stretch.first >> 32)
        return Running(*prepared.run(key, stretch.first, count), count)

    def brought(self, running: Running) -> Finished:
        """The paths on the host, once they have ended. Raises: AmountsTooLarge."""
        ended, bins, paths = running
        if np.asarray(ended.overflow).any():
            raise AmountsTooLarge
        return Finished(
            outcome=np.asarray(ended.outcome)[:paths],
            final_pnl=np.asarray(ended.final_pnl)[:paths],
            max_drawdown=np.asarray(ended.max_drawdown)[:paths],
            days=np.asarray(ended.day)[:paths],
            trades=np.asarray(ended.trades)[:paths],
            fan=np.zeros((self._rows, 0), np.int32)
            if ended.fan is None
            else np.asarray(ended.fan)[: self._rows, :paths],
            skipped=_first(ended.skipped, paths),
            payout=_first(ended.paid, paths),
            payouts=_first(ended.payouts, paths),
            paused_days=_first(ended.paused_days, paths),
            phase=_first(ended.phase, paths),
            phases=len(self._plan.spec.rules.phases),
            odds=None if ended.odds is None else np.asarray(ended.odds)[:paths],
            pnl_bins=Binned(np.asarray(bins.pnl_keys)[:paths], np.asarray(bins.pnl_excess)[:paths]),
            drawdown_bins=Binned(np.asarray(bins.drawdown_keys)[:paths], np.asarray(bins.drawdown_excess)[:paths]),
        )


@lru_cache(maxsize=64)
def _key(seed: int, path_high: int) -> npt.NDArray[np.uint32]:
    return rng.path_key(seed, path_high)


def lanes_and_tile(block_paths: int, backend: str) -> tuple[int, int]:
    """How many paths run together, and how many of them a step is taken of at a time."""
    if backend != xla.CPU:
        lanes = BLOCKS_ON_A_GPU * block_paths
        return lanes, lanes // TILES_ON_A_GPU
    return block_paths, block_paths if block_paths % TILE else TILE


def stretches(first: int, end: int, lanes: int) -> Iterator[tuple[int, int]]:
    """From `first` to `end` in stretches that end at multiples of `lanes`, a power of two: in none do the lower 32 bits
    of the path index wrap.
    """
    while first < end:
        stop = min(end, (first // lanes + 1) * lanes)
        yield first, stop
        first = stop


def _first(values: npt.ArrayLike | None, paths: int) -> npt.NDArray[np.int32] | None:
    return None if values is None else np.asarray(values)[:paths]
