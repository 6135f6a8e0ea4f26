"""What a running attempt tells the store: progress now and then, checkpoints as they come."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from mcsvc.app.failures import OutOfTime
from mcsvc.app.run_policy import RunPolicy
from mcsvc.domain.errors import StoreUnavailable
from mcsvc.domain.job import Progress, Term
from mcsvc.ports.clock import Clock
from mcsvc.ports.job_store import JobStore
from mcsvc.ports.simulator import Watcher

_log = logging.getLogger("mcsvc.jobs")


@dataclass(slots=True, kw_only=True)
class RunReporter:
    """A store that is away costs only the report. A lost term, or the time limit, ends the run from here.

    `deadline` and `_due` are on the clock's monotonic scale.
    """

    store: JobStore
    term: Term
    clock: Clock
    policy: RunPolicy
    deadline: float
    _due: float = field(default=float("-inf"), init=False)
    _first: Progress | None = field(default=None, init=False)
    _reached: Progress = field(default_factory=Progress, init=False)
    _checkpointed: bool = field(default=False, init=False)

    @property
    def begun(self) -> bool:
        """Whether the engine has done anything yet."""
        return self._checkpointed or (self._first is not None and self._reached.paths_done > self._first.paths_done)

    def watcher(self) -> Watcher:
        """The callbacks for the engine."""
        return Watcher(on_progress=self._on_progress, on_checkpoint=self._on_checkpoint)

    def _on_progress(self, progress: Progress) -> None:
        now = self.clock.monotonic()
        self._first, self._reached = self._first or progress, progress
        if now > self.deadline:
            raise out_of_time(self.policy, begun=self.begun)
        if now >= self._due:
            self._due = now + self.policy.progress_every.total_seconds()
            self._write(lambda: self.store.save_progress(self.term, progress))

    def _on_checkpoint(self, data: bytes, progress: Progress) -> None:
        """A checkpoint holds only the paths without a gap before them: more may be done already."""
        self._checkpointed = True
        further = max(progress, self._reached, key=lambda each: each.paths_done)
        self._write(lambda: self.store.save_checkpoint(self.term, data, further))

    def _write(self, write: Callable[[], None]) -> None:
        try:
            write()
        except StoreUnavailable as error:
            _log.warning("job_report_dropped", extra={"job_id": str(self.term.job_id), "reason": str(error)})


def out_of_time_to_fetch(policy: RunPolicy) -> OutOfTime:
    """The error of an attempt whose input did not come within that time."""
    limit = policy.timeout.total_seconds()
    return OutOfTime(
        f"The Core Service gave no whole input within the attempt's limit of {limit:g} s. Look at its load."
    )


def out_of_time(policy: RunPolicy, *, begun: bool) -> OutOfTime:
    """The error of an attempt that took longer than the policy allows. Whose run was not begun had no worker."""
    limit = policy.timeout.total_seconds()
    if not begun:
        why = f"The engine took the run and began nothing of it within the attempt's limit of {limit:g} s."
        return OutOfTime(f"{why} Look whether its workers run, and what else they do.", away=True)
    return OutOfTime(f"The attempt took longer than its limit of {limit:g} s. Ask for fewer paths, or raise the limit.")
