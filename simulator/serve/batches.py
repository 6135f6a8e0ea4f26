"""Spreads many accounts over the workers: a few batches out at a time, and a lost worker's batch is run again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from simulator.serve.chunks import BatchDone
from simulator.serve.dispatch import Paces, WorkerLost, WorkersLost

MOST_ACCOUNTS: Final = 32
MOST_PATHS: Final = 400_000
"""In one batch, for each account that a worker simulates at a time, unless a single account has more: a batch should
take a second or so, as it is what a lost worker costs, and what a worker does before it turns to another call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Consecutive accounts. attempt: workers that have died over it."""

    first: int
    count: int
    attempt: int = 0


RunBatch = Callable[[Batch], Awaitable[BatchDone]]
"""Raises: WorkerLost, and whatever ends the call."""


def batches(paths: Sequence[int], workers: int, at_a_time: int = 1) -> deque[Batch]:
    """All accounts, of so many paths each, in batches; at least two a worker, where there are so many accounts.

    at_a_time: accounts that a worker simulates side by side, so that each batch should have some for all of them. A
    large account has a batch, and the worker, to itself.
    """
    enough = min(2 * at_a_time, len(paths) // (2 * workers))
    most = max(1, min(MOST_ACCOUNTS * at_a_time, max(enough, len(paths) // (4 * workers))))
    found, first, sum_of_paths = deque[Batch](), 0, 0
    for index, each in enumerate(paths):
        full = index - first == most or sum_of_paths + each > MOST_PATHS * at_a_time
        if index > first and (full or each > MOST_PATHS or paths[index - 1] > MOST_PATHS):
            found.append(Batch(first=first, count=index - first))
            first, sum_of_paths = index, 0
        sum_of_paths += each
    found.append(Batch(first=first, count=len(paths) - first))
    return found


class BatchDispatcher:
    """One call's traffic with the workers."""

    def __init__(self, todo: deque[Batch], run: RunBatch, pace: Paces) -> None:
        """Nothing runs yet."""
        self._todo = todo
        self._run = run
        self._pace = pace
        self._running: dict[asyncio.Future[BatchDone], Batch] = {}

    async def work(self) -> AsyncGenerator[BatchDone | None, None]:
        """Each batch as it is done, and None at every tick at which none is. Closing it frees the workers.

        Raises: WorkersLost.
        """
        try:
            while self._todo or self._running:
                while self._todo and len(self._running) < self._pace().in_flight:
                    batch = self._todo.popleft()
                    self._running[asyncio.ensure_future(self._run(batch))] = batch
                done, _ = await asyncio.wait(
                    self._running, timeout=self._pace().tick_s, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    yield None
                for future in done:
                    batch = self._running.pop(future)
                    answered = self._settled(batch, future)
                    if answered is not None:
                        yield answered
        finally:
            for future in self._running:
                future.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _settled(self, batch: Batch, future: asyncio.Future[BatchDone]) -> BatchDone | None:
        try:
            return future.result()
        except WorkerLost as lost:
            if batch.attempt + 1 >= self._pace().attempts:
                raise WorkersLost from lost
            self._todo.append(replace(batch, attempt=batch.attempt + 1))
            return None
