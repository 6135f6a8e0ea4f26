"""Keeps the workers fed with the chunks of one simulation, and starts again what a lost worker had."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from simulator.found import Found
from simulator.ledger import Chunk, Ledger
from simulator.sections import Section
from simulator.serve.chunks import ChunkDone

FIRST_CHUNK: Final = 4
"""The most of a chunk while the speed is unknown: a small job is one call to a worker, not seven."""

LEAST_CHUNK_S: Final = 0.05
"""A shorter chunk costs as much on its way as it computes."""


class WorkerLost(Exception):
    """The worker of a chunk died or cannot be reached."""


class WorkersLost(Exception):
    """Worker after worker died over one chunk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """in_flight: chunks with the workers at a time. chunk_s: the longest of a chunk. attempts: workers lost per chunk.
    tick_s: the longest the caller hears nothing."""

    in_flight: int
    chunk_s: float
    attempts: int
    tick_s: float


Paces = Callable[[], Pace]
"""The pace of the moment: there may be more workers than before, or fewer."""

RunChunk = Callable[[Chunk, float], Awaitable[ChunkDone]]
"""Runs a chunk for at most so many seconds. Raises: WorkerLost, and whatever ends the simulation."""


class Dispatcher:
    """One simulation's traffic with the workers."""

    def __init__(self, ledger: Ledger, run: RunChunk, pace: Paces) -> None:
        """Nothing runs yet."""
        self._ledger = ledger
        self._run = run
        self._pace = pace
        self._running: dict[asyncio.Future[ChunkDone], Chunk] = {}
        self._units_per_s: dict[Section, float] = {}

    async def work(self) -> AsyncGenerator[None, None]:
        """Until the ledger is complete; yields when something was done, and at least every tick. Closing it frees the
        workers.

        Raises: WorkersLost.
        """
        try:
            while not self._ledger.complete:
                self._feed()
                done, _ = await asyncio.wait(
                    self._running, timeout=self._pace().tick_s, return_when=asyncio.FIRST_COMPLETED
                )
                for future in done:
                    self._settle(self._running.pop(future), future)
                yield
        finally:
            await self._free_the_workers()

    def _feed(self) -> None:
        pace = self._pace()
        while len(self._running) < pace.in_flight:
            chunk = self._ledger.take(self._size(pace))
            if chunk is None:
                return
            self._running[asyncio.ensure_future(self._run(chunk, pace.chunk_s))] = chunk

    def _size(self, pace: Pace) -> int:
        """A share of what is left, smaller towards the end, so that the workers finish together to LEAST_CHUNK_S."""
        section = self._ledger.section
        if section is None:
            return 1
        speed = self._units_per_s.get(section)
        if speed is None:
            return FIRST_CHUNK
        share = -(-self._ledger.unassigned(section) // (2 * pace.in_flight))
        return max(1, min(max(share, int(speed * LEAST_CHUNK_S)), int(speed * pace.chunk_s)))

    def _settle(self, chunk: Chunk, future: asyncio.Future[ChunkDone]) -> None:
        try:
            done = future.result()
        except WorkerLost as lost:
            if chunk.attempt + 1 >= self._pace().attempts:
                raise WorkersLost from lost
            self._ledger.give_back(replace(chunk, attempt=chunk.attempt + 1))
            return
        self._ledger.finish(chunk, done.count, Found.from_bytes(done.found))
        self._units_per_s[chunk.section] = done.count / max(done.seconds, 1e-6)

    async def _free_the_workers(self) -> None:
        for future in self._running:
            future.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
