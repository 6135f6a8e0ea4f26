"""What made-up workers have in common: how many are asked at a time, and some that never answer or are lost."""

from __future__ import annotations

import asyncio

from simulator.serve.dispatch import WorkerLost

MORE_COME_WITHIN_S = 0.2


class Busy:
    """Counts those who are at work; the first `losses` are lost, and with `hang` none ever ends. Nobody is done before
    so many are there `together`, and more have had time to come.
    """

    def __init__(self, *, losses: int, hang: bool, together: int = 0) -> None:
        self.at_a_time = 0
        self.most_at_a_time = 0
        self._losses = losses
        self._hang = hang
        self._together = together
        self._all_here = asyncio.Event()

    async def work(self) -> None:
        """Raises: WorkerLost."""
        self.at_a_time += 1
        self.most_at_a_time = max(self.most_at_a_time, self.at_a_time)
        if self.at_a_time >= self._together:
            self._all_here.set()
        try:
            await self._wait()
        finally:
            self.at_a_time -= 1
        if self._losses:
            self._losses -= 1
            raise WorkerLost

    async def _wait(self) -> None:
        if self._hang:
            await asyncio.Event().wait()
        await self._all_here.wait()
        await asyncio.sleep(MORE_COME_WITHIN_S if self._together else 0)
