"""One attempt, up to its result: get the input, run the engine on it. What to do about errors is `run_job`'s."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Event
from typing import TypeVar

from mcsvc.app.patience import patiently
from mcsvc.app.run_policy import RunPolicy
from mcsvc.app.run_reporter import RunReporter, out_of_time, out_of_time_to_fetch
from mcsvc.app.snapshot import build_snapshot
from mcsvc.domain.errors import EngineRejected, EngineUnavailable, RunStopped
from mcsvc.domain.job import Job, Timing, term_of
from mcsvc.ports.clock import Clock
from mcsvc.ports.core_service import CoreService
from mcsvc.ports.job_store import JobStore, Snapshot
from mcsvc.ports.simulator import Simulator
from montecarlo.v1 import result_pb2

T = TypeVar("T")
_DEADLINE_SLACK_S = 0.5  # the engine's own timer may end the run this much before ours
RESUME_FIELD = "resume_from"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an attempt came to."""

    result: result_pb2.SimulationResult
    timing: Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAttempt:
    """Raises whatever the ports raise, and OutOfTime."""

    store: JobStore
    core: CoreService
    simulator: Simulator
    clock: Clock
    policy: RunPolicy

    def __call__(self, job: Job, halt: Event) -> Outcome:
        """Blocks until the result is there or `halt` ends the run."""
        started = self.clock.monotonic()
        deadline = started + self.policy.timeout.total_seconds()
        snapshot = self._snapshot(job, halt, deadline)
        fetched = self.clock.monotonic()
        result = self._simulate(job, snapshot, halt, deadline)
        simulated = self.clock.monotonic()
        timing = replace(job.timing, fetch_s=fetched - started, simulate_s=simulated - fetched)
        return Outcome(result=result, timing=timing)

    def _snapshot(self, job: Job, halt: Event, deadline: float) -> Snapshot:
        stored = self._patiently(lambda: self.store.snapshot(job.id), halt)
        if stored is not None:
            return stored

        def may_go_on() -> None:
            if halt.is_set():
                raise RunStopped("The run was halted while its input was fetched.")
            if self.clock.monotonic() > deadline:
                raise out_of_time_to_fetch(self.policy)

        account = self.core.account(job.subject, may_go_on=may_go_on)
        trades = self.core.trades(job.subject, may_go_on=may_go_on)
        fetched_at = self._patiently(self.store.now, halt)  # and not by this machine's clock, which may be wrong
        snapshot = build_snapshot(trades, account.rules, account.state, job.settings, fetched_at=fetched_at)
        self._patiently(lambda: self.store.save_snapshot(term_of(job), snapshot), halt)
        return snapshot

    def _simulate(self, job: Job, snapshot: Snapshot, halt: Event, deadline: float) -> result_pb2.SimulationResult:
        checkpoint = self._patiently(lambda: self.store.checkpoint(job.id), halt)
        try:
            return self._run(job, snapshot, checkpoint, halt, deadline)
        except EngineRejected as error:
            if not checkpoint or not any(v.field == RESUME_FIELD for v in error.violations):
                raise
        return self._run(job, snapshot, b"", halt, deadline)

    def _run(
        self, job: Job, snapshot: Snapshot, checkpoint: bytes, halt: Event, deadline: float
    ) -> result_pb2.SimulationResult:
        left = deadline - self.clock.monotonic()
        if left <= 0:
            raise out_of_time_to_fetch(self.policy)
        reporter = RunReporter(
            store=self.store, term=term_of(job), clock=self.clock, policy=self.policy, deadline=deadline
        )
        try:
            return self.simulator.run(
                snapshot,
                resume_from=checkpoint,
                timeout=timedelta(seconds=left),
                stop=halt,
                watcher=reporter.watcher(),
            )
        except EngineUnavailable as error:
            if self.clock.monotonic() < deadline - _DEADLINE_SLACK_S:
                raise
            raise out_of_time(self.policy, begun=reporter.begun) from error

    def _patiently(self, ask: Callable[[], T], halt: Event) -> T:
        return patiently(ask, clock=self.clock, policy=self.policy, halt=halt)
