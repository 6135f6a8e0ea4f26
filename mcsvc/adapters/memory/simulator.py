"""An engine that does as its script says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from typing import final

from mcsvc.domain.errors import RunStopped
from mcsvc.domain.job import Progress
from mcsvc.ports.job_store import Snapshot
from mcsvc.ports.simulator import Watcher
from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import result_pb2

DEFAULT_PATHS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A step of a script: yield this checkpoint."""

    data: bytes
    paths_done: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang:
    """A step of a script: say that the run is under way, then do nothing until it is stopped."""

    begun: Event = field(default_factory=Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Do:
    """A step of a script: call something, e.g. to let time pass. What it raises is what the engine raises."""

    action: Callable[[], object]


Step = int | Checkpoint | Hang | Do
"""An int reports so many paths done."""


@final
@dataclass(kw_only=True)
class ScriptedSimulator:
    """The `Simulator` of unit tests: run n follows `scripts[n]`; a run without a script succeeds at once."""

    scripts: list[list[Step]] = field(default_factory=list)
    resumed_from: list[bytes] = field(default_factory=list)
    inputs: list[Snapshot] = field(default_factory=list)
    stopped: int = 0

    def run(
        self, snapshot: Snapshot, *, resume_from: bytes, timeout: timedelta, stop: Event, watcher: Watcher
    ) -> result_pb2.SimulationResult:
        """Follow the script, then answer with a result that depends only on the input."""
        self.inputs.append(snapshot)
        self.resumed_from.append(resume_from)
        settings = engine_pb2.SimulateInput.FromString(snapshot.data).settings
        paths = settings.paths or DEFAULT_PATHS
        for step in self.scripts.pop(0) if self.scripts else ():
            self._follow(step, paths, timeout, stop, watcher)
        return scripted_result(snapshot, paths)

    def ping(self) -> None:
        """It is always there."""

    def _follow(self, step: Step, paths: int, timeout: timedelta, stop: Event, watcher: Watcher) -> None:
        match step:
            case int():
                watcher.on_progress(Progress(paths_done=step, paths_total=paths))
            case Checkpoint():
                watcher.on_checkpoint(step.data, Progress(paths_done=step.paths_done, paths_total=paths))
            case Do():
                step.action()
            case Hang():
                step.begun.set()
                stop.wait(timeout.total_seconds())
        if stop.is_set():
            self.stopped += 1
            raise RunStopped("The run was stopped.")


def scripted_result(snapshot: Snapshot, paths: int) -> result_pb2.SimulationResult:
    """What a scripted run ends in."""
    certain = result_pb2.Estimate(value=1.0, std_error=0.0, ci_low=1.0, ci_high=1.0)
    return result_pb2.SimulationResult(
        outcomes=result_pb2.Outcomes(passed=certain),
        paths=paths,
        path_steps=paths,
        engine_version="scripted",
        input_digest=snapshot.digest,
        elapsed_s=0.25,
    )


def fails_with(*errors: Exception) -> list[list[Step]]:
    """One script for each error: a run that raises it."""

    def raiser(error: Exception) -> Callable[[], None]:
        def action() -> None:
            raise error

        return action

    return [[Do(action=raiser(error))] for error in errors]
