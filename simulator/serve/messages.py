"""When which message of a stream is due."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from montecarlo.engine.v1 import engine_pb2
from simulator.engine import Plan
from simulator.ledger import Ledger, Prefix
from simulator.serve import checkpoint
from simulator.serve.checkpoint import Kept
from simulator.serve.settings import Settings


class Messages:
    """Progress and checkpoints of one simulation, each no later than its interval after the one before."""

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        settings: Settings,
        *,
        spent_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """The first checkpoint is due one interval from now. spent_s: seconds that earlier attempts took."""
        self._plan = plan
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        self._told = 0
        self._told_at = self._kept_at = clock()
        self._began_at = clock() - spent_s
        self._kept = _units(ledger.prefix)

    def due(self) -> Iterator[engine_pb2.SimulateResponse]:
        """What should be sent now; to be asked at least twice in an interval."""
        now = self._clock()
        if now - self._told_at >= self._settings.progress_s / 2:
            self._told_at = now
            yield self.progress()
        prefix = self._ledger.prefix
        if _units(prefix) > self._kept and now - self._kept_at >= self._settings.checkpoint_s:
            self._kept_at, self._kept = now, _units(prefix)
            kept = engine_pb2.SimulateCheckpoint(
                data=checkpoint.encode(self._plan, Kept(prefix=prefix, spent_s=now - self._began_at)),
                paths_done=self._ledger.paths_of(prefix),
                paths_total=self._ledger.paths_to_do,
            )
            yield engine_pb2.SimulateResponse(checkpoint=kept)

    def progress(self) -> engine_pb2.SimulateResponse:
        """How far it is; never less than told before, also where an early stop leaves paths out."""
        self._told = max(self._told, self._ledger.paths_done)
        progress = engine_pb2.SimulateProgress(paths_done=self._told, paths_total=self._ledger.paths_to_do)
        return engine_pb2.SimulateResponse(progress=progress)


def _units(prefix: Prefix) -> int:
    return prefix.blocks + prefix.histories
