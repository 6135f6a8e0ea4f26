"""Which units of one simulation are done: hands out chunks in order, takes them back in any order, merges exactly.

Knows no threads, no workers and no clock. The simulation ends with its last unit, or early: at a look at which all
precision targets are reached, or when it has expired, with the blocks that are done without a gap. So what it ends with
is always what a simulation of just so many paths would yield.

A checkpoint leaves the equity fan out, as it is most of the bytes. A resumed simulation runs the few blocks that have
one again, for it alone.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from simulator import precision, rare
from simulator.found import Found
from simulator.planning import Plan
from simulator.sections import Section
from simulator.tally import Tally


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Chunk:
    """Consecutive units of a section. attempt: workers that have died over it."""

    section: Section
    first: int
    count: int
    attempt: int = 0

    @property
    def end(self) -> int:
        """The first unit after it."""
        return self.first + self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """What the first units of the sections have yielded."""

    blocks: int = 0
    histories: int = 0
    found: Found = field(default_factory=Found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """How much there is to do. paths: of all blocks and histories. fan_blocks: the first blocks, which hold the fan.

    enough: whether paths are precise enough, to be asked at the looks of `simulator.precision`; None: never. rare: the
    units of `Section.RARE`, consecutive, that all paths together give reason for.
    """

    paths: int
    blocks: int
    fan_blocks: int
    histories: int = 0
    history_paths: int = 0
    enough: Callable[[Tally], bool] | None = None
    rare: Callable[[Tally], Sequence[int]] = lambda _: ()

    @staticmethod
    def of(plan: Plan) -> Outline:
        """All that the plan asks for."""
        settings = plan.spec.settings
        risk, targets = settings.estimation_risk, settings.precision
        return Outline(
            paths=plan.paths + (risk.histories * risk.paths if risk else 0),
            blocks=plan.blocks,
            fan_blocks=min(plan.blocks, -(-plan.fan_paths // plan.block_paths)),
            histories=risk.histories if risk else 0,
            history_paths=risk.paths if risk else 0,
            enough=(lambda tally: precision.reached(targets, tally)) if targets else None,
            rare=lambda tally: rare.wanted(plan, tally),
        )


NOTHING = Prefix()


class Ledger:
    """The book of one simulation. Not for use from many threads."""

    def __init__(self, outline: Outline, resumed: Prefix = NOTHING) -> None:
        """`resumed` is without its fan."""
        self._outline = outline
        self._tracks = {
            Section.FAN: _Track(Section.FAN, 0, min(resumed.blocks, outline.fan_blocks)),
            Section.HISTORIES: _Track(Section.HISTORIES, resumed.histories, outline.histories),
            Section.PATHS: _Track(Section.PATHS, resumed.blocks, outline.blocks),
        }
        self._paths = self._tracks[Section.PATHS]
        self._found = resumed.found
        self._expired = False
        self._look()
        self._close()

    @property
    def complete(self) -> bool:
        """Whether all that is wanted is done."""
        return Section.RARE in self._tracks and all(track.complete for track in self._tracks.values())

    @property
    def paths_to_do(self) -> int:
        """Paths of all units, or the most there may be, where the simulation may end early."""
        return self._outline.paths

    @property
    def paths_done(self) -> int:
        """Paths of all units done so far, those on resampled histories too."""
        return self._paths.paths_done(self._found.tally.paths) + self._histories_done * self._outline.history_paths

    @property
    def prefix(self) -> Prefix:
        """What a checkpoint holds, but for the fan."""
        histories = self._tracks[Section.HISTORIES].next
        return Prefix(blocks=self._paths.next, histories=histories, found=self._found)

    def paths_of(self, prefix: Prefix) -> int:
        """Paths that a prefix holds, those on resampled histories too."""
        return prefix.found.tally.paths + prefix.histories * self._outline.history_paths

    def unassigned(self, section: Section) -> int:
        """Units of a section that `take` could still hand out."""
        return self._tracks[section].unassigned

    @property
    def section(self) -> Section | None:
        """The section of the next chunk; None if all units are assigned."""
        return next((each for each, track in self._tracks.items() if self._open(track)), None)

    def take(self, most: int) -> Chunk | None:
        """The next chunk of at most `most` units, or None if all are assigned."""
        section = self.section
        if section is None:
            return None
        track = self._tracks[section]
        if section is Section.PATHS:
            most = min(most, self._room(track.first_open))
        return track.take(most)

    def give_back(self, chunk: Chunk) -> None:
        """A taken chunk that was not done."""
        self._tracks[chunk.section].give_back(chunk)
        self._close()

    def finish(self, chunk: Chunk, count: int, found: Found) -> None:
        """The first `count` units of a taken chunk are done; the others are given back."""
        track = self._tracks[chunk.section]
        track.finish(chunk, count, found)
        for each in track.grown():
            self._found += each
            if track is self._paths:
                self._look()
        self._close()

    def expire(self) -> None:
        """No further paths are begun, but for the first block, without which there is no result."""
        self._expired = True
        self._close()

    def total(self) -> Found:
        """What all units yielded; only when complete."""
        return self._found

    def _open(self, track: _Track) -> bool:
        if track is self._paths and self._expired:
            return track.first_open == 0 and not track.next
        return track.unassigned > 0

    def _room(self, first: int) -> int:
        """Blocks up to the next look; after expiry the first block is enough."""
        if self._expired:
            return 1
        return self._outline.blocks if self._outline.enough is None else precision.next_look(first) - first

    def _look(self) -> None:
        enough, blocks = self._outline.enough, self._paths.next
        if enough and precision.is_look(blocks) and enough(self._found.tally):
            self._paths.end_at(blocks)

    def _close(self) -> None:
        if self._expired and self._paths.next and not self._paths.out:
            self._paths.end_at(self._paths.next)
        if self._paths.complete and Section.RARE not in self._tracks:
            units = self._outline.rare(self._found.tally)
            begin, end = (units[0], units[-1] + 1) if units else (0, 0)
            self._tracks[Section.RARE] = _Track(Section.RARE, begin, end)

    @property
    def _histories_done(self) -> int:
        return self._tracks[Section.HISTORIES].units_done


class _Track:
    """One section: the units done without a gap, those done beyond one, those open, and how many chunks are out."""

    def __init__(self, section: Section, done: int, end: int) -> None:
        self.next = done
        self.out = 0
        self._end = end
        self._islands: dict[int, tuple[int, Found]] = {}
        self._heap = [Chunk(section=section, first=done, count=end - done)] if done < end else []

    @property
    def complete(self) -> bool:
        return self.next == self._end

    @property
    def unassigned(self) -> int:
        return sum(chunk.count for chunk in self._heap)

    @property
    def first_open(self) -> int:
        """The first unit that could be handed out; the end if there is none."""
        return self._heap[0].first if self._heap else self._end

    @property
    def units_done(self) -> int:
        return self.next + sum(count for count, _ in self._islands.values())

    def paths_done(self, without_a_gap: int) -> int:
        return without_a_gap + sum(found.tally.paths for _, found in self._islands.values())

    def take(self, most: int) -> Chunk:
        first = heapq.heappop(self._heap)
        if first.count > most:
            heapq.heappush(self._heap, replace(first, first=first.first + most, count=first.count - most))
        self.out += 1
        return replace(first, count=min(most, first.count))

    def give_back(self, chunk: Chunk) -> None:
        self.out -= 1
        self._reopen(chunk)

    def finish(self, chunk: Chunk, count: int, found: Found) -> None:
        self.out -= 1
        self._reopen(replace(chunk, first=chunk.first + count, count=chunk.count - count, attempt=0))
        if count and chunk.first < self._end:
            self._islands[chunk.first] = (count, found)

    def grown(self) -> Iterator[Found]:
        """What has become joined to the first units, piece by piece; `next` is right at each."""
        while self.next < self._end and (island := self._islands.pop(self.next, None)) is not None:
            self.next += island[0]
            yield island[1]

    def end_at(self, unit: int) -> None:
        """Nothing beyond is wanted any more."""
        self._end = unit
        self._islands.clear()
        self._heap.clear()

    def _reopen(self, chunk: Chunk) -> None:
        if chunk.count and chunk.first < self._end:
            heapq.heappush(self._heap, chunk)
