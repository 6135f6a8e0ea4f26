"""Delete what has been kept long enough: final jobs, and events that were sent."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from mcsvc.ports.job_store import JobStore

_log = logging.getLogger("mcsvc.jobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetOld:
    """Any number of replicas may do this at once. A span of 0 keeps for ever. In batches, so that no lock is long."""

    store: JobStore
    keep_jobs: timedelta
    keep_events: timedelta
    batch: int = 500

    def __call__(self) -> int:
        """How many jobs and events were deleted; as many as a batch if there may be more."""
        events = jobs = 0
        if self.keep_events:
            events = self.store.forget_sent(older_than=self.keep_events, limit=self.batch)
        if self.keep_jobs:
            jobs = self.store.forget_jobs(older_than=self.keep_jobs, limit=self.batch)
        if events or jobs:
            _log.info("old_forgotten", extra={"jobs": jobs, "events": events})
        return max(events, jobs)
