"""Histories that might as well have been, for the estimation risk: whole trading days of the real one, drawn anew.

Days are drawn by the stationary bootstrap (Politis & Romano 1994) with the automatic block length of the days' sums, as
many as there are, so each history keeps what happens within a day and from one day to the next. On each, a few paths
are simulated as a simulation of its own, with its own seed, derived from the seed and the history's number. The block
length of the trades stays that of the real history.

A history may lack what the model or the stress needs, such as a losing trade: a simulation of its own would be refused.
It is left out, and counted. One on which a fitted t has no finite variance is not: it has the heaviest tails, outcomes
need no variance, and without it the others would look too mild.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator import rng
from simulator.block_length import automatic_block_length
from simulator.history import History
from simulator.planning import Plan
from simulator.source import carries

_SEEDS: Final = 0x48495354
_DAYS: Final = 0x44415953
_ROUNDS: Final = 20
_MASK: Final = 0xFFFFFFFF


def plans(plan: Plan, first: int, count: int) -> Iterator[Plan]:
    """The simulations on the histories of these numbers, each of one block, of the plan's own size if that will do:
    then nothing is compiled for it, and lanes without a path cost nothing.
    """
    asked = plan.spec.settings.estimation_risk
    if asked is None:
        return
    length = day_block_length(plan.history)
    for number in range(first, first + count):
        seed = seed_of(plan.seed, number)
        yield replace(
            plan,
            history=resampled(plan.history, drawn_days(seed, plan.history.days, length)),
            seed=seed,
            paths=asked.paths,
            block_paths=max(plan.block_paths, 1 << (asked.paths - 1).bit_length()),
            blocks=1,
            fan_paths=0,
        )


def is_left_out(plan: Plan) -> bool:
    """Whether the history of such a simulation lacks what the model or the stress needs."""
    return not carries(plan.spec, plan.history, plan.source)


def day_block_length(history: History) -> float:
    """Mean length, in days, of the blocks of days: automatic, by the days' sums."""
    return automatic_block_length(np.add.reduceat(history.pnl_minor.astype(np.float64), history.day_start))


def seed_of(seed: int, number: int) -> int:
    """The seed of a history's simulation, 64 bits, unrelated to those of the others and to the seed itself."""
    first, second = _words(seed, np.array([number], dtype=np.uint32), _SEEDS)
    return int(second[0]) << 32 | int(first[0])


def drawn_days(seed: int, days: int, length: float) -> npt.NDArray[np.intp]:
    """Which days a history is made of: blocks of geometric length with this mean, wrapping round."""
    step = np.arange(days, dtype=np.uint32)
    restart, fresh = _words(seed, step, _DAYS)
    begins = restart < np.uint64(round(2**32 / max(length, 1.0)))
    begins[0] = True
    block = np.maximum.accumulate(np.where(begins, np.arange(days), 0))
    start = (fresh.astype(np.uint64) * np.uint64(days) >> np.uint64(32)).astype(np.intp)
    return np.asarray((start[block] + np.arange(days) - block) % days, dtype=np.intp)


def resampled(history: History, days: npt.NDArray[np.intp]) -> History:
    """A history of these days in this order; it keeps the first and the last date."""
    lengths = history.day_trades[days]
    starts = np.cumsum(lengths) - lengths
    taken = np.repeat(history.day_start[days] - starts, lengths) + np.arange(int(lengths.sum()))
    return replace(
        history,
        pnl_minor=history.pnl_minor[taken],
        day_start=starts.astype(np.int32),
        day_trades=lengths.astype(np.int32),
        mae_minor=None if history.mae_minor is None else history.mae_minor[taken],
        mfe_minor=None if history.mfe_minor is None else history.mfe_minor[taken],
    )


def _words(
    seed: int, counter: npt.NDArray[np.uint32], purpose: int
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    key = (np.full(1, seed & _MASK, np.uint32), np.full(1, seed >> 32 & _MASK, np.uint32))
    return rng.threefry2x32(key, (counter, np.full(1, purpose, np.uint32)), rounds=_ROUNDS)
