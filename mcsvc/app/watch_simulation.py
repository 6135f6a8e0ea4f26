"""Follow one job: as it stands now, then at each change, until it is final."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from threading import Event

from mcsvc.app.get_simulation import JobView
from mcsvc.domain.job import Job, JobId, State
from mcsvc.ports.clock import Clock
from mcsvc.ports.job_store import JobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSimulation:
    """Looks every `poll`, and yields None when nothing changed for `heartbeat`."""

    store: JobStore
    clock: Clock
    poll: timedelta = timedelta(milliseconds=500)
    heartbeat: timedelta = timedelta(seconds=15)

    def __call__(self, job_id: JobId, stop: Event) -> Iterator[JobView | None]:
        """Ends after a final state, or when `stop` is set. Raises JobNotFound at the first step."""
        shown: Job | None = None
        shown_at = self.clock.monotonic()
        while True:
            job = self.store.get(job_id)
            now = self.clock.monotonic()
            if job != shown:
                yield self._view(job)
                shown, shown_at = job, now
            elif now - shown_at >= self.heartbeat.total_seconds():
                yield None
                shown_at = now
            if job.state.final or stop.wait(self.poll.total_seconds()):
                return

    def _view(self, job: Job) -> JobView:
        return JobView(job=job, result=self.store.result(job.id) if job.state is State.SUCCEEDED else None)
