"""What made-up workers have in common: how many are asked at a time, and some that never answer or are lost."""

from __future__ import annotations

import asyncio

from simulator.serve.dispatch import WorkerLost


class Busy:
    """Counts those who are at work; the first `losses` are lost, and with `hang` none ever ends."""

    def __init__(self, *, losses: int, hang: bool) -> None:
        self.at_a_time = 0
        self.most_at_a_time = 0
        self._losses = losses
        self._hang = hang

    async def work(self) -> None:
        """Raises: WorkerLost."""
        self.at_a_time += 1
        self.most_at_a_time = max(self.most_at_a_time, self.at_a_time)
        try:
            await (asyncio.Event().wait() if self._hang else asyncio.sleep(0))
        finally:
            self.at_a_time -= 1
        if self._losses:
            self._losses -= 1
            raise WorkerLost
