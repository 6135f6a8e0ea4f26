"""What the pieces of a simulation have yielded so far, in one value that merges in any order to the same bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import Final

from simulator import rare_event, scenarios
from simulator.estimation_risk import Histories
from simulator.rare_event import RareEvent
from simulator.scenarios import Paired
from simulator.tally import Tally

_MAGIC: Final = b"MCF3"
_LENGTHS: Final = struct.Struct("<4I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """tally: of the paths; pairs: each scenario beside them, over the same paths, or none; histories: the resampled
    ones that are done; rare: breaches by importance sampling, in the order of `Outcome`.
    """

    tally: Tally = field(default_factory=Tally.empty)
    pairs: tuple[Paired, ...] = ()
    histories: Histories = field(default_factory=Histories)
    rare: tuple[RareEvent, ...] = ()

    def __add__(self, other: Found) -> Found:
        """Of the pieces of both: exact, commutative and associative.

        Raises: ValueError for pieces of unlike simulations.
        """
        return Found(
            tally=Tally.merge(self.tally, other.tally),
            pairs=scenarios.merge(self.pairs, other.pairs),
            histories=self.histories | other.histories,
            rare=rare_event.merge(self.rare, other.rare),
        )

    def without_fan(self) -> Found:
        """The same without the equity fan, which is most of the bytes."""
        return replace(self, tally=replace(self.tally, fan=None))

    def fan_alone(self) -> Found:
        """Nothing but the equity fan."""
        return Found(tally=replace(Tally.empty(), fan=self.tally.fan))

    def to_bytes(self) -> bytes:
        """The canonical serial form: equal findings give equal bytes."""
        pairs = b"".join(pair.to_bytes() for pair in self.pairs)
        parts = (self.tally.to_bytes(), pairs, self.histories.to_bytes(), rare_event.to_bytes(self.rare))
        return _MAGIC + _LENGTHS.pack(*map(len, parts)) + b"".join(parts)

    @staticmethod
    def from_bytes(data: bytes) -> Found:
        """What `to_bytes` gave.

        Raises: ValueError for anything else.
        """
        try:
            lengths = _LENGTHS.unpack_from(data, len(_MAGIC))
        except struct.error as broken:
            raise ValueError("Serialised findings are cut short: start again without the checkpoint.") from broken
        begin = len(_MAGIC) + _LENGTHS.size
        if data[: len(_MAGIC)] != _MAGIC or len(data) != begin + sum(lengths):
            raise ValueError("These bytes are no findings of this version: start again without the checkpoint.")
        ends = list(accumulate(lengths, initial=begin))
        tally, pairs, histories, events = (data[start:end] for start, end in pairwise(ends))
        return Found(
            tally=Tally.from_bytes(tally),
            pairs=tuple(
                Paired.from_bytes(pairs[at : at + scenarios.SIZE]) for at in range(0, len(pairs), scenarios.SIZE)
            ),
            histories=Histories.from_bytes(histories),
            rare=rare_event.from_bytes(events),
        )
