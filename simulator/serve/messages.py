"""When which message of a stream is due."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from montecarlo.engine.v1 import engine_pb2
from simulator.engine import Plan
from simulator.serve import checkpoint
from simulator.serve.ledger import NOTHING, Ledger
from simulator.serve.settings import Settings


class Messages:
    """Progress and checkpoints of one simulation, each no later than its interval after the one before."""

    def __init__(
        self, plan: Plan, ledger: Ledger, settings: Settings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """The first checkpoint is due one interval from now."""
        self._plan = plan
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        self._told_at = self._kept_at = clock()
        self._kept = (ledger.prefix or NOTHING).next_block

    def due(self) -> Iterator[engine_pb2.SimulateResponse]:
        """What should be sent now; to be asked at least twice in an interval."""
        now = self._clock()
        if now - self._told_at >= self._settings.progress_s / 2:
            self._told_at = now
            yield self.progress()
        prefix = self._ledger.prefix
        if prefix and prefix.next_block > self._kept and now - self._kept_at >= self._settings.checkpoint_s:
            self._kept_at, self._kept = now, prefix.next_block
            kept = engine_pb2.SimulateCheckpoint(
                data=checkpoint.encode(self._plan, prefix),
                paths_done=prefix.tally.paths,
                paths_total=self._plan.paths,
            )
            yield engine_pb2.SimulateResponse(checkpoint=kept)

    def progress(self) -> engine_pb2.SimulateResponse:
        """How far it is."""
        progress = engine_pb2.SimulateProgress(paths_done=self._ledger.paths_done, paths_total=self._plan.paths)
        return engine_pb2.SimulateResponse(progress=progress)
