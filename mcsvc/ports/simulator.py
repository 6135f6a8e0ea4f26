"""The engine, as the service sees it: an input in; progress, checkpoints and a result out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from typing import Protocol

from mcsvc.domain.job import Progress
from mcsvc.ports.job_store import Snapshot
from montecarlo.v1 import result_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """What a run tells while it lasts. The callbacks run on the caller's thread; what they raise ends the run."""

    on_progress: Callable[[Progress], None]
    on_checkpoint: Callable[[bytes, Progress], None]


class Simulator(Protocol):
    """See the module."""

    def run(
        self, snapshot: Snapshot, *, resume_from: bytes, timeout: timedelta, stop: Event, watcher: Watcher
    ) -> result_pb2.SimulationResult:
        """Simulate, blocking. Setting `stop` from another thread ends it within 2 s and frees the workers.

        Raises:
            EngineRejected: the input is invalid.
            EngineUnavailable: not reached or overloaded, and then `away`; broke off, or out of time.
            RunStopped: `stop` was set.
        """
        ...

    def ping(self) -> None:
        """Raises EngineUnavailable, `away`, unless the engine would take a call."""
        ...
