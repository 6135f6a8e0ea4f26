"""Take up the jobs whose worker died or stalls: retry them, or fail them if their attempts are used."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from mcsvc.app import metrics
from mcsvc.app.events import failed_event
from mcsvc.app.failures import lease_expired
from mcsvc.app.run_policy import RunPolicy
from mcsvc.domain.errors import LeaseLost
from mcsvc.domain.job import Job, attempts_left, term_of
from mcsvc.ports.job_store import JobStore

_log = logging.getLogger("mcsvc.jobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueJobs:
    """Any number of replicas may do this at once: each rescue is fenced by the term it ends."""

    store: JobStore
    policy: RunPolicy
    batch: int = 100

    def __call__(self) -> int:
        """The number of jobs moved."""
        return sum(self._rescue(job) for job in self.store.expired(limit=self.batch))

    def _rescue(self, job: Job) -> bool:
        failure = lease_expired(job.attempt)
        try:
            if attempts_left(job):
                moved = self.store.retry(term_of(job), failure, delay=self.policy.delay_after(job.attempt))
            else:
                moved = self.store.fail(term_of(job), failure, failed_event)
        except LeaseLost:
            return False  # it finished, or another rescuer was first
        metrics.attempt_failed(moved, failure)
        fields = {"job_id": str(job.id), "attempt": job.attempt, "state": moved.state.value}
        _log.warning("job_rescued", extra=fields)
        return True
