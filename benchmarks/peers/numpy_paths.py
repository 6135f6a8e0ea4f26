"""The case in vectorised NumPy: tiles that stay in cache, a thread a core, ended paths squeezed out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from benchmarks.case import START_MINOR, Case
from simulator.rng import threefry2x32

TILE = 16_384


def _tile(case: Case, key: tuple[np.uint32, np.uint32], first: int, count: int) -> npt.NDArray[np.int64]:
    """Outcome counts and, last, the trades taken, of the paths [first, first + count)."""
    totals = np.zeros(5, np.int64)
    lane = np.arange(first, first + count, dtype=np.uint32)
    balance = np.full(count, START_MINOR, np.int32)
    peak = balance.copy()
    size, words = np.uint64(case.pnl_minor.size), (lane, lane)
    for step in range(case.steps):
        if step % 2 == 0:
            pair = np.full(lane.size, step // 2, np.uint32)
            words = threefry2x32((np.full_like(lane, key[0]), np.full_like(lane, key[1])), (lane, pair))
        index = (words[step % 2].astype(np.uint64) * size) >> np.uint64(32)
        after = balance + case.pnl_minor[index.astype(np.int64)]
        drawdown = after <= np.maximum(peak - case.allowance, case.static_floor)
        daily = ~drawdown & (after <= balance - case.daily_loss)
        passed = ~drawdown & ~daily & (after >= START_MINOR + case.target)
        going = ~(drawdown | daily | passed)
        totals[:3] += (passed.sum(), drawdown.sum(), daily.sum())
        totals[4] += lane.size
        balance, peak = after, np.maximum(peak, after)
        if not going.all():
            lane, balance, peak = lane[going], balance[going], peak[going]
            words = (words[0][going], words[1][going])
    totals[3] = lane.size
    return totals


def run(case: Case, key: tuple[int, int], threads: int) -> tuple[list[int], int]:
    """Outcome counts (passed, drawdown, daily loss, expired) and the trades taken."""
    words = (np.uint32(key[0]), np.uint32(key[1]))
    with ThreadPoolExecutor(threads) as pool:
        tiles = pool.map(
            lambda first: _tile(case, words, first, min(TILE, case.paths - first)), range(0, case.paths, TILE)
        )
        totals = np.sum(list(tiles), axis=0)
    return totals[:4].tolist(), int(totals[4])
