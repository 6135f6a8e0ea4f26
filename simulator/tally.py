"""What is kept of finished paths: integer counts and histograms that merge in any order to the same bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from itertools import zip_longest
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator import histogram
from simulator.histogram import Histogram

_MAGIC: Final = b"MCT1"
_COUNTS: Final = struct.Struct("<7q")
_LENGTH: Final = struct.Struct("<I")


class Outcome(IntEnum):
    """How a path ends; the kernel's codes."""

    PASSED = 0
    BREACHED_MAX_DRAWDOWN = 1
    BREACHED_DAILY_LOSS = 2
    EXPIRED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Paths the kernel has ended, one entry a path; money in minor units.

    outcome: `Outcome` codes; final_pnl: balance at the end less that at the start; max_drawdown: ≥ 0;
    days: trading days used until the end, 1 for a path that ends on its first; trades: taken until the end;
    fan: int32[shown days, paths of the fan], balance less that at the start (so that bins are fine around it), for
    those of the first FAN_PATHS paths that are among these.
    """

    outcome: npt.NDArray[np.uint8]
    final_pnl: npt.NDArray[np.int32]
    max_drawdown: npt.NDArray[np.int32]
    days: npt.NDArray[np.int32]
    trades: npt.NDArray[np.int32]
    fan: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Everything the figures are made of. Merging is exact, commutative and associative.

    steps: trades over all paths; outcomes: paths by `Outcome`; days_to_pass over passed paths, days_to_breach over
    breached ones, the others over all paths; fan: balance less that at the start, on each shown day, in coarse bins.
    """

    paths: int
    steps: int
    outcomes: tuple[int, int, int, int]
    final_pnl: Histogram
    max_drawdown: Histogram
    days_to_pass: Histogram
    days_to_breach: Histogram
    trades_to_end: Histogram
    fan: tuple[Histogram, ...]

    @staticmethod
    def empty() -> Tally:
        """The tally of no paths: the neutral element of `merge`."""
        none = Histogram.empty()
        return Tally(
            paths=0, steps=0, outcomes=(0, 0, 0, 0), final_pnl=none, max_drawdown=none,
            days_to_pass=none, days_to_breach=none, trades_to_end=none, fan=(),
        )  # fmt: skip

    @staticmethod
    def of(finished: Finished, fan_days: int) -> Tally:
        """The tally of finished paths; `fan_days` is the number of shown days, also where no path is in the fan."""
        outcome = finished.outcome
        passed, max_drawdown, daily_loss, expired = np.bincount(outcome, minlength=len(Outcome)).tolist()
        breached = (outcome == Outcome.BREACHED_MAX_DRAWDOWN) | (outcome == Outcome.BREACHED_DAILY_LOSS)
        rows = finished.fan if finished.fan.size else np.zeros((fan_days, 0), dtype=np.int32)
        if len(rows) != fan_days:
            raise ValueError(f"The fan has {len(rows)} shown days, not {fan_days}: pass the plan's own number.")
        return Tally(
            paths=int(outcome.size),
            steps=int(finished.trades.sum(dtype=np.int64)),
            outcomes=(passed, max_drawdown, daily_loss, expired),
            final_pnl=Histogram.of(finished.final_pnl),
            max_drawdown=Histogram.of(finished.max_drawdown),
            days_to_pass=Histogram.of(finished.days[outcome == Outcome.PASSED]),
            days_to_breach=Histogram.of(finished.days[breached]),
            trades_to_end=Histogram.of(finished.trades),
            fan=tuple(Histogram.of(row).coarse() for row in rows),
        )

    @staticmethod
    def merge(a: Tally, b: Tally) -> Tally:
        """The tally of the paths of both.

        Raises: ValueError for tallies of unlike fans.
        """
        if a.fan and b.fan and len(a.fan) != len(b.fan):
            raise ValueError("These tallies show different days: merge only tallies of one plan.")
        passed, max_drawdown, daily_loss, expired = (x + y for x, y in zip(a.outcomes, b.outcomes, strict=True))
        none = Histogram.empty()
        return Tally(
            paths=a.paths + b.paths,
            steps=a.steps + b.steps,
            outcomes=(passed, max_drawdown, daily_loss, expired),
            final_pnl=histogram.merge(a.final_pnl, b.final_pnl),
            max_drawdown=histogram.merge(a.max_drawdown, b.max_drawdown),
            days_to_pass=histogram.merge(a.days_to_pass, b.days_to_pass),
            days_to_breach=histogram.merge(a.days_to_breach, b.days_to_breach),
            trades_to_end=histogram.merge(a.trades_to_end, b.trades_to_end),
            fan=tuple(histogram.merge(x, y) for x, y in zip_longest(a.fan, b.fan, fillvalue=none)),
        )

    def to_bytes(self) -> bytes:
        """The canonical serial form: equal tallies give equal bytes."""
        head = _MAGIC + _COUNTS.pack(self.paths, self.steps, *self.outcomes, len(self.fan))
        parts = [one.to_bytes() for one in (*_figures(self), *self.fan)]
        return head + b"".join(_LENGTH.pack(len(part)) + part for part in parts)

    @staticmethod
    def from_bytes(data: bytes) -> Tally:
        """What `to_bytes` gave.

        Raises: ValueError for anything else.
        """
        if data[: len(_MAGIC)] != _MAGIC:
            raise ValueError("These bytes are no tally of this version: start again without the checkpoint.")
        try:
            paths, steps, passed, max_drawdown, daily_loss, expired, _ = _COUNTS.unpack_from(data, len(_MAGIC))
            figures = _histograms(data)
        except struct.error as broken:
            raise ValueError("A serialised tally is cut short: start again without the checkpoint.") from broken
        return Tally(
            paths=paths, steps=steps, outcomes=(passed, max_drawdown, daily_loss, expired),
            final_pnl=figures[0], max_drawdown=figures[1], days_to_pass=figures[2], days_to_breach=figures[3],
            trades_to_end=figures[4], fan=tuple(figures[5:]),
        )  # fmt: skip


def _figures(tally: Tally) -> tuple[Histogram, ...]:
    return (tally.final_pnl, tally.max_drawdown, tally.days_to_pass, tally.days_to_breach, tally.trades_to_end)


def _histograms(data: bytes) -> list[Histogram]:
    """The figures and then the fan of a serialised tally."""
    *_, fan_days = _COUNTS.unpack_from(data, len(_MAGIC))
    offset, found = len(_MAGIC) + _COUNTS.size, []
    for _ in range(5 + fan_days):
        (length,) = _LENGTH.unpack_from(data, offset)
        offset += _LENGTH.size
        found.append(Histogram.from_bytes(data[offset : offset + length]))
        offset += length
    return found
