"""What the ingress and a worker say to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from simulator.errors import FieldViolation
from simulator.sections import Section

SMALL_PLAN: Final = 64 * 1024
"""Bytes. To put a plan into the object store, and to fetch it, takes longer than a small simulation: only those of long
histories go that way. Ray would send there whatever a message has beyond 100 kB.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkTask:
    """Run units of a section from `first`: at most `count`, and for about `budget_s` seconds at the most.

    simulation: names the plan, so that a worker looks at it once. plan: its pickle; or, where that is large, a Ray
    object reference to it, wrapped so that Ray does not fetch it with each chunk. trace: the parent span.
    """

    simulation: str
    plan: bytes | tuple[object]
    section: Section
    first: int
    count: int
    budget_s: float
    trace: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkDone:
    """The first `count` units asked for, in `seconds`. found: `Found.to_bytes`, a fraction of its pickled size."""

    count: int
    found: bytes
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRefused:
    """The input turned out to be impossible to simulate."""

    violations: tuple[FieldViolation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTask:
    """Simulate these accounts, each a serialised SimulateInput. first: the place of the first one in the call.

    small: it is one, with its equity fan, and no more than a core should have. trace: the parent span.
    """

    first: int
    inputs: tuple[bytes, ...]
    small: bool = False
    trace: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDone:
    """What became of each account: serialised SimulateManyResponses, with the places in the call.

    Fewer accounts than asked if the call was cancelled. `seconds` is the time that it took.
    """

    responses: tuple[bytes, ...]
    seconds: float
