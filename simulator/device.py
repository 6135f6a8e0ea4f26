"""One plan on the device: loads it once, runs its blocks, brings finished paths back to the host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache, reduce
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
from simulator.tally import Finished, Tally

TILE: Final = 256
"""Lanes a core visits at a time: their state, a few dozen words each, stays in its nearest cache."""
MOST_STEPS: Final = 1 << 27
"""Path-steps of the paths that a core runs together, about: half a second of it, as what has begun runs to its end even
if nobody wants it any more.
"""
BLOCKS_ON_A_GPU: Final = 64
"""Blocks that a GPU runs together: each step of all their paths should keep it busy."""
OF_A_SMALL_PLAN: Final = 8
"""The same, of a plan that has no more: fewer would take as long."""
MOST_STEPS_ON_A_GPU: Final = 1 << 35
"""As MOST_STEPS: a second or so of a GPU."""
PAIRS_ON_A_GPU: Final = 16
"""Pairs of steps that a visit takes there: the host asks which paths live after each, and the GPU waits meanwhile."""


class Stretch(NamedTuple):
    """Consecutive paths that run together, and whether they are those of the equity fan."""

    first: int
    end: int
    with_fan: bool = False


class Together(NamedTuple):
    """How paths run side by side, as `Shape` says it."""

    lanes: int
    tile: int
    pairs: int | None = None


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
        self._far = xla.backend() != xla.CPU
        together = side_by_side(plan, xla.backend())
        self._lanes = together.lanes
        shape = Shape(
            features=loading_rules.features(plan),
            model=plan.model,
            fixed_days=plan.spec.settings.trades_per_day is not None,
            lanes=together.lanes,
            tile=together.tile,
            pairs=together.pairs,
        )
        tables, levels = loading.tables(plan), loading_rules.levels(plan)
        self.usual = Prepared(shape, tables, levels, None)
        self._shown, self._rows = min(plan.fan_paths, plan.block_paths), plan.fan_days
        if self._shown:
            fan = loading.fan(plan.shown_days, plan.horizon_days)
            lanes = min(self._shown, self._lanes)
            self._of_fan = Prepared(replace(shape, lanes=lanes, tile=lanes), tables, levels, fan)

    def finished(self, blocks: range) -> Finished:
        """The paths of consecutive blocks, without those beyond the plan's last."""
        return Finished.joined([self.brought(self.run(each)) for each in self.stretches(blocks)])

    def stretches(self, blocks: range) -> list[Stretch]:
        """The paths of consecutive blocks, at least one, as the device runs them: those of the fan first."""
        first, end = blocks.start * self._plan.block_paths, blocks.stop * self._plan.block_paths
        end = min(end, self._plan.paths)
        shown = max(first, min(end, self._shown))
        of_fan = [Stretch(*each, with_fan=True) for each in stretches(first, shown, self._lanes)]
        return of_fan + [Stretch(*each) for each in stretches(shown, end, self._lanes)]

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
        ended, bins, paths = self._cut(running) if self._far else running
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

    def tally(self, running: Iterable[Running]) -> Tally:
        """The tally of paths that run, at least one stretch, once they have ended. Raises: AmountsTooLarge.

        On a CPU numpy counts them. From a GPU it would take ten times as long to bring them here as to run them.
        """
        if not self._far:
            return Tally.of(*map(self.brought, running))
        return reduce(Tally.merge, map(self._counted, running))

    def _cut(self, running: Running) -> Running:
        """With no more lanes than the blocks of its paths have."""
        from simulator.kernel import leaving  # noqa: PLC0415 — it imports jax

        lanes = -(-running.paths // self._plan.block_paths) * self._plan.block_paths
        if lanes >= running.ended.outcome.size:
            return running
        return Running(*leaving.first(running.ended, running.bins, lanes), running.paths)

    def _counted(self, running: Running) -> Tally:
        ended, bins, paths = running
        if ended.fan is not None:
            return Tally.of(self.brought(running))
        from simulator.kernel import leaving  # noqa: PLC0415 — it imports jax

        overflow, counts = leaving.counted(ended, bins, paths, phases=len(self._plan.spec.rules.phases))
        if overflow:
            raise AmountsTooLarge
        return Tally.of_counts(counts, paths)


@lru_cache(maxsize=64)
def _key(seed: int, path_high: int) -> npt.NDArray[np.uint32]:
    return rng.path_key(seed, path_high)


def side_by_side(plan: Plan, backend: str) -> Together:
    """How many paths run together, and how many of them a step is taken of at a time: fewer of long paths."""
    if backend == xla.CPU:
        lanes = min(plan.block_paths, max(TILE, _power_of_two(MOST_STEPS / plan.mean_steps)))
        return Together(lanes=lanes, tile=lanes if lanes % TILE else TILE)
    blocks = _power_of_two(MOST_STEPS_ON_A_GPU / (plan.block_paths * plan.mean_steps))
    most = BLOCKS_ON_A_GPU if plan.blocks > OF_A_SMALL_PLAN else OF_A_SMALL_PLAN
    lanes = plan.block_paths * max(OF_A_SMALL_PLAN, min(blocks, most))
    return Together(lanes=lanes, tile=lanes, pairs=PAIRS_ON_A_GPU)


def blocks_together(plan: Plan) -> int:
    """Blocks of the plan that run side by side, at least one, be it in several stretches."""
    return max(1, side_by_side(plan, xla.backend()).lanes // plan.block_paths)


def stretches(first: int, end: int, lanes: int) -> Iterator[tuple[int, int]]:
    """From `first` to `end` in stretches of at most `lanes`; in none do the lower 32 bits of the path index wrap."""
    while first < end:
        stop = min(end, first + lanes, ((first >> 32) + 1) << 32)
        yield first, stop
        first = stop


def _power_of_two(most: float) -> int:
    """The largest that is no more than this; 1 if it is less."""
    return 1 << max(0, int(most).bit_length() - 1)


def _first(values: npt.ArrayLike | None, paths: int) -> npt.NDArray[np.int32] | None:
    return None if values is None else np.asarray(values)[:paths]
