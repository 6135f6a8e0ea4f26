"""What the ingress and a worker say to each other."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.errors import FieldViolation


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkTask:
    """Run blocks from `first_block`: at most `blocks`, and for about `budget_s` seconds at the most.

    simulation: names the plan, so that a worker fetches it once. plan: a Ray object reference, wrapped so that Ray does
    not fetch it with each chunk. trace: the parent span.
    """

    simulation: str
    plan: tuple[object]
    first_block: int
    blocks: int
    budget_s: float
    trace: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkDone:
    """The first `blocks` blocks asked for, in `seconds`. tally: `Tally.to_bytes`, a fraction of its pickled size."""

    blocks: int
    tally: bytes
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRefused:
    """The input turned out to be impossible to simulate."""

    violations: tuple[FieldViolation, ...]
