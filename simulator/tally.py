"""What is kept of finished paths: integer counts and histograms that merge in any order to the same bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from itertools import zip_longest
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator import counts, histogram
from simulator.bands import Bands
from simulator.bins import Binned
from simulator.counts import Counts
from simulator.histogram import Histogram
from simulator.scratch import scratch

FIGURES: Final = (
    "final_pnl", "max_drawdown", "days_to_pass", "days_to_breach", "trades_to_end", "payout", "payouts", "paused_days"
)  # fmt: skip
"""The fields of a `Tally` that are one histogram each, in serial order."""

_MAGIC: Final = b"MCT2"
_COUNTS: Final = struct.Struct("<7q")
_PHASE: Final = struct.Struct("<2q")
_LENGTH: Final = struct.Struct("<I")
_NONE: Final = Histogram.empty()


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
    fan: int32[shown days, paths of the fan], balance less that at the start, for those paths of the fan that are among
    these.

    The others are None where the rules have no use for them. skipped: trades drawn but not taken; payout: what the
    trader is paid, in minor units; payouts: how many; paused_days: days on which trading was paused; phase: the last
    that was reached, from 0 to `phases` - 1; odds: of a path whose draws were weighted (`simulator.rare`); pnl_bins,
    drawdown_bins: final_pnl and max_drawdown by their bins, where these are known already.
    """

    outcome: npt.NDArray[np.uint8]
    final_pnl: npt.NDArray[np.int32]
    max_drawdown: npt.NDArray[np.int32]
    days: npt.NDArray[np.int32]
    trades: npt.NDArray[np.int32]
    fan: npt.NDArray[np.int32]
    skipped: npt.NDArray[np.int32] | None = None
    payout: npt.NDArray[np.int32] | None = None
    payouts: npt.NDArray[np.int32] | None = None
    paused_days: npt.NDArray[np.int32] | None = None
    phase: npt.NDArray[np.int32] | None = None
    phases: int = 0
    odds: npt.NDArray[np.float64] | None = None
    pnl_bins: Binned | None = None
    drawdown_bins: Binned | None = None

    @property
    def drawn(self) -> npt.NDArray[np.int32]:
        """Trades drawn until the end, taken or not."""
        return self.trades if self.skipped is None else self.trades + self.skipped

    @staticmethod
    def joined(parts: Sequence[Finished]) -> Finished:
        """The paths of all parts, at least one, which are of one plan."""
        first = parts[0]
        if len(parts) == 1:
            return first
        columns = {each.name: _joined(column(parts, each.name)) for each in fields(Finished) if each.name != "phases"}
        return replace(first, **columns)


def column(parts: Sequence[Finished], name: str) -> list[Any]:
    """What each part has of one field; nothing of one that the rules have no use for."""
    found = [getattr(part, name) for part in parts]
    return [] if found[0] is None else found


def _joined(arrays: list[Any]) -> Any:
    if arrays and isinstance(arrays[0], Binned):
        return Binned(*(np.concatenate(each) for each in zip(*arrays, strict=True)))
    return np.concatenate(arrays, axis=-1) if arrays else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """How many paths reached a phase, and how many passed it."""

    reached: int
    passed: int

    def __add__(self, other: Phase) -> Phase:
        """Of the paths of both."""
        return Phase(reached=self.reached + other.reached, passed=self.passed + other.passed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Everything the figures are made of. Merging is exact, commutative and associative; at most one part has the fan.

    steps: trades drawn over all paths; outcomes: paths by `Outcome`; days_to_pass over passed paths, days_to_breach
    over breached ones, the others over all paths; fan: of the balance less that at the start; payout, payouts,
    paused_days and phases: empty where the rules have no use for them.
    """

    paths: int
    steps: int
    outcomes: tuple[int, int, int, int]
    final_pnl: Histogram
    max_drawdown: Histogram
    days_to_pass: Histogram
    days_to_breach: Histogram
    trades_to_end: Histogram
    fan: Bands | None = None
    payout: Histogram = _NONE
    payouts: Histogram = _NONE
    paused_days: Histogram = _NONE
    phases: tuple[Phase, ...] = ()

    @staticmethod
    def empty() -> Tally:
        """The tally of no paths: the neutral element of `merge`."""
        none = Histogram.empty()
        return Tally(
            paths=0, steps=0, outcomes=(0, 0, 0, 0), final_pnl=none, max_drawdown=none,
            days_to_pass=none, days_to_breach=none, trades_to_end=none,
        )  # fmt: skip

    @staticmethod
    def of(*parts: Finished) -> Tally:
        """The tally of finished paths, in at least one part; all are of one plan."""
        ends = _ends(parts)
        passed, max_drawdown, daily_loss, expired = ends.sum(axis=0).tolist()
        return Tally(
            paths=sum(part.outcome.size for part in parts),
            steps=sum(_total(part.trades) + _total(part.skipped) for part in parts),
            final_pnl=_binned(parts, "final_pnl", "pnl_bins"),
            max_drawdown=_binned(parts, "max_drawdown", "drawdown_bins"),
            outcomes=(passed, max_drawdown, daily_loss, expired),
            days_to_pass=Histogram.of_counts(ends[:, Outcome.PASSED]),
            days_to_breach=Histogram.of_counts(
                ends[:, Outcome.BREACHED_MAX_DRAWDOWN] + ends[:, Outcome.BREACHED_DAILY_LOSS]
            ),
            trades_to_end=Histogram.of(*column(parts, "trades")),
            fan=Bands.of(_joined([each for each in column(parts, "fan") if each.size] or [parts[0].fan])),
            payout=Histogram.of(*column(parts, "payout")),
            payouts=Histogram.of(*column(parts, "payouts")),
            paused_days=Histogram.of(*column(parts, "paused_days")),
            phases=_phases_of(parts),
        )

    @staticmethod
    def of_counts(found: Counts, paths: int) -> Tally:
        """The tally of so many paths that their device has counted; without the fan."""
        passed, max_drawdown, daily_loss, expired = counts.number(found.ends).sum(axis=1).tolist()
        return Tally(
            paths=paths,
            steps=int(found.steps),
            final_pnl=counts.histogram(found.pnl),
            max_drawdown=counts.histogram(found.drawdown),
            outcomes=(passed, max_drawdown, daily_loss, expired),
            days_to_pass=counts.histogram(found.ends[Outcome.PASSED]),
            days_to_breach=counts.histogram(
                found.ends[Outcome.BREACHED_MAX_DRAWDOWN] + found.ends[Outcome.BREACHED_DAILY_LOSS]
            ),
            trades_to_end=counts.histogram(found.trades),
            payout=counts.histogram(found.paid),
            payouts=counts.histogram(found.payouts),
            paused_days=counts.histogram(found.paused_days),
            phases=() if found.phases is None else _phases(found.phases.sum(axis=1), found.phases[:, 1]),
        )

    @staticmethod
    def merge(a: Tally, b: Tally) -> Tally:
        """The tally of the paths of both.

        Raises: ValueError for tallies of unlike phases, or with two fans.
        """
        if a.fan and b.fan:
            raise ValueError("Both tallies have the fan, which one block has: merge tallies of different blocks.")
        if a.phases and b.phases and len(a.phases) != len(b.phases):
            raise ValueError("These tallies have different phases: merge only tallies of one plan.")
        passed, max_drawdown, daily_loss, expired = (x + y for x, y in zip(a.outcomes, b.outcomes, strict=True))
        nobody = Phase(reached=0, passed=0)
        return Tally(
            paths=a.paths + b.paths,
            steps=a.steps + b.steps,
            outcomes=(passed, max_drawdown, daily_loss, expired),
            fan=a.fan or b.fan,
            phases=tuple(x + y for x, y in zip_longest(a.phases, b.phases, fillvalue=nobody)),
            **{name: histogram.merge(getattr(a, name), getattr(b, name)) for name in FIGURES},
        )

    def to_bytes(self) -> bytes:
        """The canonical serial form: equal tallies give equal bytes."""
        head = _MAGIC + _COUNTS.pack(self.paths, self.steps, *self.outcomes, len(self.phases))
        phases = b"".join(_PHASE.pack(phase.reached, phase.passed) for phase in self.phases)
        parts = [getattr(self, name).to_bytes() for name in FIGURES] + [self.fan.to_bytes() if self.fan else b""]
        return head + phases + b"".join(_LENGTH.pack(len(part)) + part for part in parts)

    @staticmethod
    def from_bytes(data: bytes) -> Tally:
        """What `to_bytes` gave.

        Raises: ValueError for anything else.
        """
        if data[: len(_MAGIC)] != _MAGIC:
            raise ValueError("These bytes are no tally of this version: start again without the checkpoint.")
        try:
            return _parse(data)
        except struct.error as broken:
            raise ValueError("A serialised tally is cut short: start again without the checkpoint.") from broken


def _total(values: npt.NDArray[np.int32] | None) -> int:
    return 0 if values is None else int(values.sum(dtype=np.int64))


def _binned(parts: Sequence[Finished], values: str, bins: str) -> Histogram:
    """The histogram of one figure, by its bins if they are known."""
    known = column(parts, bins)
    return Histogram.of_binned(known) if known else Histogram.of(*column(parts, values))


def _phases_of(parts: Sequence[Finished]) -> tuple[Phase, ...]:
    if not column(parts, "phase"):
        return ()
    phase, outcome = (_joined(column(parts, name)) for name in ("phase", "outcome"))
    last, passed = (np.bincount(of, minlength=parts[0].phases) for of in (phase, phase[outcome == Outcome.PASSED]))
    return _phases(last, passed)


def _phases(last: npt.NDArray[np.integer], passed: npt.NDArray[np.integer]) -> tuple[Phase, ...]:
    """Of how many paths each phase was the last, and how many of them passed it: these have passed those before it."""
    reached = last[::-1].cumsum()[::-1]
    beyond = reached - last + passed
    return tuple(Phase(reached=r, passed=p) for r, p in zip(reached.tolist(), beyond.tolist(), strict=True))


def _ends(parts: Sequence[Finished]) -> npt.NDArray[np.int64]:
    """How many paths end on each day in each way, int64[days, outcomes], the first row for day 0."""
    ways, end = len(Outcome), 0
    places, _ = scratch.of(sum(part.days.size for part in parts))
    for part in parts:
        begin, end = end, end + part.days.size
        place = np.multiply(part.days, ways, out=places[begin:end], dtype=np.int64)
        np.add(place, part.outcome, out=place)
    rows = max(int(part.days.max(initial=0)) for part in parts) + 1
    return np.bincount(places, minlength=rows * ways).reshape(rows, ways)


def _parse(data: bytes) -> Tally:
    paths, steps, passed, max_drawdown, daily_loss, expired, phases = _COUNTS.unpack_from(data, len(_MAGIC))
    offset = len(_MAGIC) + _COUNTS.size
    counts = [_PHASE.unpack_from(data, offset + i * _PHASE.size) for i in range(phases)]
    *figures, fan = _parts(data, offset + phases * _PHASE.size, len(FIGURES) + 1)
    return Tally(
        paths=paths,
        steps=steps,
        outcomes=(passed, max_drawdown, daily_loss, expired),
        fan=Bands.from_bytes(fan) if fan else None,
        phases=tuple(Phase(reached=reached, passed=passed) for reached, passed in counts),
        **{name: Histogram.from_bytes(part) for name, part in zip(FIGURES, figures, strict=True)},
    )


def _parts(data: bytes, offset: int, count: int) -> Iterator[bytes]:
    """So many of them, each after its length."""
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(data, offset)
        offset += _LENGTH.size
        if len(data) < offset + length:
            raise struct.error("a part of a tally is cut short")
        yield data[offset : offset + length]
        offset += length
