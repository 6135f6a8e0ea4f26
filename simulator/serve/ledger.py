"""Which blocks of one simulation are done: hands out chunks in order, takes them back in any order, merges exactly.

The equity fan is kept apart from the rest: it comes from the first few blocks only, and is most of the bytes. So a
checkpoint leaves it out, and a resumed simulation runs those few blocks once more for their fan alone.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace

from simulator.tally import Tally


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Chunk:
    """Consecutive whole blocks. attempt: workers that have died over it."""

    first_block: int
    blocks: int
    attempt: int = 0

    @property
    def end(self) -> int:
        """The first block after it."""
        return self.first_block + self.blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """Blocks 0 to `next_block`, that one not included; the tally is without its fan."""

    next_block: int
    tally: Tally


NOTHING = Prefix(next_block=0, tally=Tally.empty())


class Ledger:
    """The book of one simulation. Not for use from many threads."""

    def __init__(self, *, blocks: int, fan_blocks: int, resumed: Prefix = NOTHING) -> None:
        """fan_blocks: the first blocks, which hold the fan; `resumed` is NOTHING or holds at least these."""
        self._blocks = blocks
        self._resumed_at = resumed.next_block
        self._prefix = resumed
        self._islands: dict[int, Prefix] = {}
        self._beyond = Tally.empty()
        self._fan = Tally.empty()
        self._fan_left = fan_blocks
        self._fan_blocks = fan_blocks
        self._open: list[Chunk] = []
        if resumed.next_block:
            heapq.heappush(self._open, Chunk(first_block=0, blocks=fan_blocks))
        if resumed.next_block < blocks:
            heapq.heappush(self._open, Chunk(first_block=resumed.next_block, blocks=blocks - resumed.next_block))

    @property
    def complete(self) -> bool:
        """Whether every block is done."""
        return self._prefix.next_block == self._blocks and not self._fan_left

    @property
    def unassigned(self) -> int:
        """Blocks that `take` could still hand out."""
        return sum(chunk.blocks for chunk in self._open)

    @property
    def paths_done(self) -> int:
        """Paths of all blocks done so far."""
        return self._prefix.tally.paths + sum(island.tally.paths for island in self._islands.values())

    @property
    def prefix(self) -> Prefix | None:
        """What a checkpoint holds; None while the blocks of the fan are not all done."""
        return self._prefix if self._prefix.next_block >= self._fan_blocks else None

    def take(self, most: int) -> Chunk | None:
        """The next chunk of at most `most` blocks, or None if all are assigned."""
        if not self._open:
            return None
        first = heapq.heappop(self._open)
        if first.blocks > most:
            heapq.heappush(self._open, replace(first, first_block=first.first_block + most, blocks=first.blocks - most))
        return replace(first, blocks=min(most, first.blocks))

    def give_back(self, chunk: Chunk) -> None:
        """A taken chunk that was not done."""
        heapq.heappush(self._open, chunk)

    def finish(self, chunk: Chunk, blocks: int, tally: Tally) -> None:
        """The first `blocks` of a taken chunk are done; the others are given back."""
        if blocks < chunk.blocks:
            self.give_back(Chunk(first_block=chunk.first_block + blocks, blocks=chunk.blocks - blocks))
        end = chunk.first_block + blocks
        if chunk.first_block < self._fan_blocks:
            self._fan = Tally.merge(self._fan, replace(Tally.empty(), fan=tally.fan))
            self._fan_left -= min(end, self._fan_blocks) - chunk.first_block
        if chunk.first_block >= self._resumed_at:
            self._islands[chunk.first_block] = Prefix(next_block=end, tally=replace(tally, fan=()))
            self._grow()

    def total(self) -> Tally:
        """The tally of all blocks; only when complete."""
        return Tally.merge(self._prefix.tally, self._fan)

    def _grow(self) -> None:
        while (island := self._islands.pop(self._prefix.next_block, None)) is not None:
            tally = Tally.merge(self._prefix.tally, island.tally)
            self._prefix = Prefix(next_block=island.next_block, tally=tally)
