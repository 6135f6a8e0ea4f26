"""What-ifs on the random numbers of the simulation proper: path i of both is the same future under other conditions.

So the two cases are matched pairs, and what is kept is what matched pairs need: how many paths end how in both cases,
and exact sums of the profits and losses and of their differences. These merge in any order to the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.conditions import spec_of
from simulator.planning import Plan
from simulator.spec import Scenario
from simulator.tally import Finished, Outcome

WAYS: Final = len(Outcome)
_JOINT: Final = struct.Struct(f"<{WAYS * WAYS}q")
_SUM_BYTES: Final = 16
_SUMS: Final = ("total", "squares", "difference_total", "difference_squares")

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """A scenario beside the simulation proper, over the same paths; money in minor units.

    joint: paths by `Outcome` of the simulation proper, then of the scenario, row by row. total, squares: sums over the
    scenario's final P&L; difference_total, difference_squares: over the scenario's less that of the simulation proper.
    """

    joint: tuple[int, ...] = (0,) * (WAYS * WAYS)
    total: int = 0
    squares: int = 0
    difference_total: int = 0
    difference_squares: int = 0

    @staticmethod
    def of(base: Finished, other: Finished) -> Paired:
        """Of the same paths under both conditions."""
        codes = base.outcome.astype(np.intp) * WAYS + other.outcome
        pnl = other.final_pnl.astype(np.int64)
        difference = pnl - base.final_pnl
        return Paired(
            joint=tuple(np.bincount(codes, minlength=WAYS * WAYS).tolist()),
            total=int(pnl.sum()),
            squares=_squares(pnl),
            difference_total=int(difference.sum()),
            difference_squares=_squares(difference),
        )

    @property
    def paths(self) -> int:
        """Paths of either case."""
        return sum(self.joint)

    @property
    def outcomes(self) -> tuple[int, ...]:
        """The scenario's paths by `Outcome`."""
        return tuple(sum(self.joint[end::WAYS]) for end in range(WAYS))

    def moved(self, end: Outcome) -> tuple[int, int]:
        """Paths that end so in the scenario alone, and in the simulation proper alone."""
        both = self.joint[end * WAYS + end]
        return self.outcomes[end] - both, sum(self.joint[end * WAYS : (end + 1) * WAYS]) - both

    def __add__(self, other: Paired) -> Paired:
        """Of the paths of both."""
        return Paired(
            joint=tuple(a + b for a, b in zip(self.joint, other.joint, strict=True)),
            **{name: getattr(self, name) + getattr(other, name) for name in _SUMS},
        )

    def to_bytes(self) -> bytes:
        """The canonical serial form, always `SIZE` bytes."""
        sums = (getattr(self, name).to_bytes(_SUM_BYTES, "little", signed=True) for name in _SUMS)
        return _JOINT.pack(*self.joint) + b"".join(sums)

    @staticmethod
    def from_bytes(data: bytes) -> Paired:
        """What `to_bytes` gave.

        Raises: ValueError for anything else.
        """
        if len(data) != SIZE:
            raise ValueError("A serialised scenario has the wrong length: start again without the checkpoint.")
        starts = range(_JOINT.size, SIZE, _SUM_BYTES)
        sums = (int.from_bytes(data[start : start + _SUM_BYTES], "little", signed=True) for start in starts)
        return Paired(joint=_JOINT.unpack_from(data), **dict(zip(_SUMS, sums, strict=True)))


SIZE: Final = _JOINT.size + len(_SUMS) * _SUM_BYTES
"""Bytes of a serialised `Paired`."""


def merge(a: Iterable[Paired], b: Iterable[Paired]) -> tuple[Paired, ...]:
    """Scenario by scenario; one of both may have none, which adds nothing."""
    first, second = tuple(a), tuple(b)
    return tuple(x + y for x, y in zip(first, second, strict=True)) if first and second else first or second


def plans(plan: Plan) -> Iterator[Plan]:
    """The plan of each scenario: the same paths, seed and blocks, under the scenario's conditions."""
    return (plan_under(plan, scenario) for scenario in plan.spec.settings.scenarios)


def plan_under(plan: Plan, scenario: Scenario) -> Plan:
    """The plan of one."""
    return replace(plan, spec=spec_of(plan.spec, scenario), fan_paths=0)


def _squares(values: Int64s) -> int:
    """The exact sum of squares of at most 2^31 values below 2^32 in magnitude."""
    squares = (values * values).astype(np.uint64)
    high, low = squares >> np.uint64(32), squares & np.uint64(0xFFFFFFFF)
    return (int(high.sum()) << 32) + int(low.sum())
