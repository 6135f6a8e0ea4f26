"""Run a plan's blocks anywhere and in any order, and merge them to the same bits.

A block is a fixed number of consecutive paths. What a block yields depends only on the plan and the block's number, so
chunks, threads, workers and machines change nothing but the time.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial, reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from simulator.planning import BLOCK_PATHS, FAN_PATHS, Plan, plan
from simulator.tally import Finished, Tally
from simulator.xla import default_threads

if TYPE_CHECKING:
    from simulator.device import Device

__all__ = ["BLOCK_PATHS", "FAN_PATHS", "Plan", "default_threads", "finished", "plan", "run", "simulate"]


BLOCKS_A_TALLY: Final = 6
"""Blocks whose paths are binned together, at most: enough that the bins cost little, few enough that hardly any thread
bins when there are no more paths to run.
"""


SPARE_THREADS: Final = 1
"""Beside those that wait for paths: while one bins, the paths of the others go on. XLA runs the paths on threads of its
own (`simulator.xla`), and on no more for it.
"""

LOADED_PLANS: Final = 8
"""Plans that stay loaded for their next blocks; a plan is itself alone, equal to no other."""


def run(plan: Plan, first_block: int, blocks: int, *, threads: int | None = None) -> Tally:
    """The tally of these whole blocks. `threads` (default: MCSIM_THREADS, else the cores it may use) only costs time.

    Raises: AmountsTooLarge if a balance left the range that is computed exactly.
    """
    device, threads = _device(plan), threads or default_threads()
    wanted = range(first_block, min(first_block + blocks, plan.blocks))
    batches = in_batches(wanted, threads)
    tally = partial(_tally, device)
    if threads == 1 or len(batches) == 1:
        return reduce(Tally.merge, map(tally, batches), Tally.empty())
    with ThreadPoolExecutor(max_workers=threads + SPARE_THREADS) as pool:
        return reduce(Tally.merge, pool.map(tally, batches), Tally.empty())


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
    return _device(plan).finished(range(block, block + 1))


def in_batches(blocks: range, threads: int) -> list[range]:
    """Stretches of blocks about as long as one another, as many as there are threads, or more."""
    count = min(len(blocks), max(threads, -(-len(blocks) // BLOCKS_A_TALLY)))
    ends = [len(blocks) * number // count for number in range(1, count + 1)] if count else []
    return [blocks[start:end] for start, end in pairwise([0, *ends])]


def _tally(device: Device, blocks: range) -> Tally:
    return Tally.of(device.finished(blocks))


@lru_cache(maxsize=LOADED_PLANS)
def _device(plan: Plan) -> Device:
    from simulator.device import Device  # noqa: PLC0415 — planning must not pay for importing jax

    return Device(plan)
