"""The case in numba: one path at a time per core, everything in registers, leaving as soon as a path has ended."""

from __future__ import annotations

import numba
import numpy as np

from benchmarks.case import START_MINOR, Case


@numba.njit(inline="always")
def _mix(x, y, r):
    x = np.uint32(x + y)
    return x, np.uint32(np.uint32(np.uint32(y << np.uint32(r)) | np.uint32(y >> np.uint32(32 - r))) ^ x)


@numba.njit(inline="always")
def _quad(x, y, r0, r1, r2, r3):
    x, y = _mix(x, y, r0)
    x, y = _mix(x, y, r1)
    x, y = _mix(x, y, r2)
    return _mix(x, y, r3)


@numba.njit
def _threefry(k0, k1, x, y):
    k2 = np.uint32(np.uint32(0x1BD11BDA) ^ k0 ^ k1)
    x, y = _quad(np.uint32(x + k0), np.uint32(y + k1), 13, 15, 26, 6)
    x, y = _quad(np.uint32(x + k1), np.uint32(y + k2 + np.uint32(1)), 17, 29, 16, 24)
    x, y = _quad(np.uint32(x + k2), np.uint32(y + k0 + np.uint32(2)), 13, 15, 26, 6)
    return _mix(np.uint32(x + k0), np.uint32(y + k1 + np.uint32(3)), 17)


@numba.njit
def _path(k0, k1, pnl, path, steps, start, static_floor, allowance, daily_loss, target):
    """Outcome (3: expired) and trades taken of one path."""
    size = np.uint64(pnl.size)
    balance, peak = start, start
    first, second = np.uint32(0), np.uint32(0)
    for step in range(steps):
        if step & 1 == 0:
            first, second = _threefry(k0, k1, path, np.uint32(step >> 1))
        word = second if step & 1 else first
        after = balance + pnl[(np.uint64(word) * size) >> np.uint64(32)]
        if after <= max(peak - allowance, static_floor):
            return 1, step + 1
        if after <= balance - daily_loss:
            return 2, step + 1
        if after >= target:
            return 0, step + 1
        balance, peak = after, max(peak, after)
    return 3, steps


@numba.njit(parallel=True)
def _run(k0, k1, pnl, steps, start, static_floor, allowance, daily_loss, target, paths, totals):
    tiles = totals.shape[0]
    for tile in numba.prange(tiles):
        for path in range(paths * tile // tiles, paths * (tile + 1) // tiles):
            outcome, done = _path(
                k0, k1, pnl, np.uint32(path), steps, start, static_floor, allowance, daily_loss, target
            )
            totals[tile, outcome] += 1
            totals[tile, 4] += done


def run(case: Case, key: tuple[int, int], threads: int) -> tuple[list[int], int]:
    """Outcome counts (passed, drawdown, daily loss, expired) and the trades taken."""
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    totals = np.zeros((threads * 16, 8), np.int64)
    _run(
        np.uint32(key[0]), np.uint32(key[1]), case.pnl_minor, case.steps, START_MINOR, case.static_floor,
        case.allowance, case.daily_loss, START_MINOR + case.target, case.paths, totals,
    )  # fmt: skip
    sums = totals.sum(axis=0)
    return sums[:4].tolist(), int(sums[4])
