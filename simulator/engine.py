"""Run a plan's blocks anywhere and in any order, and merge them to the same bits.

A block is a fixed number of consecutive paths. What a block yields depends only on the plan and the block's number, so
chunks, threads, workers and machines change nothing but the time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from itertools import pairwise
from typing import Final

from simulator.device import blocks_together
from simulator.launching import Flight, Launcher, loaded
from simulator.planning import BLOCK_PATHS, FAN_PATHS, Plan, plan
from simulator.tally import Finished, Tally
from simulator.xla import default_threads

__all__ = ["BLOCK_PATHS", "FAN_PATHS", "Plan", "default_threads", "finished", "plan", "run", "simulate", "tally"]


BLOCKS_A_TALLY: Final = 6
"""Blocks whose paths are binned together, at most: enough that the bins cost little, few enough that little is left to
be binned when there are no more paths to run.
"""


def run(plan: Plan, first_block: int, blocks: int, *, threads: int | None = None) -> Tally:
    """The tally of these whole blocks.

    `threads` (default: MCSIM_THREADS, else the cores it may use; 0: see Launcher) only costs time.

    Raises: AmountsTooLarge if a balance left the range that is computed exactly.
    """
    with Launcher(default_threads() if threads is None else threads) as launcher:
        return tally(plan, range(first_block, first_block + blocks), launcher)


def tally(plan: Plan, blocks: range, launcher: Launcher) -> Tally:
    """The tally of these blocks, as far as there are any. Raises: AmountsTooLarge."""
    device = loaded(plan)
    wanted = in_batches(range(blocks.start, min(blocks.stop, plan.blocks)), blocks_together(plan))
    flights = launcher.flown((batch, device, batch) for batch in wanted)
    return reduce(Tally.merge, map(_landed, flights), Tally.empty())


def _landed(flown: tuple[object, Flight]) -> Tally:
    """A flight's tally. Nothing holds its paths then while the next ones are launched."""
    return flown[1].tally()


def simulate(
    plan: Plan,
    on_progress: Callable[[int, int], None] | None = None,
    *,
    chunk_blocks: int = 8,
    threads: int | None = None,
) -> Tally:
    """All blocks, chunk by chunk; `on_progress` is told paths done and paths to do."""
    total = Tally.empty()
    for first in range(0, plan.blocks, chunk_blocks):
        total = Tally.merge(total, run(plan, first, chunk_blocks, threads=threads))
        if on_progress is not None:
            on_progress(total.paths, plan.paths)
    return total


def finished(plan: Plan, block: int) -> Finished:
    """The paths of one block, path by path."""
    return loaded(plan).finished(range(block, block + 1))


def in_batches(blocks: range, together: int = 1) -> list[range]:
    """Stretches of blocks about as long as one another, at least two if there are two blocks; where a device runs many
    blocks together, as few as can be.
    """
    least, most = (2, BLOCKS_A_TALLY) if together == 1 else (1, together)
    count = max(min(len(blocks), least), -(-len(blocks) // most))
    ends = [len(blocks) * number // count for number in range(1, count + 1)] if count else []
    return [blocks[start:end] for start, end in pairwise([0, *ends])]
