"""Stop a job for good. A running attempt loses its term at once and its worker stops the engine soon after."""

from __future__ import annotations

from dataclasses import dataclass

from mcsvc.domain.job import Job, JobId
from mcsvc.ports.job_store import JobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSimulation:
    """See the module."""

    store: JobStore

    def __call__(self, job_id: JobId) -> Job:
        """The cancelled job. Raises JobNotFound, and IllegalMove for a job that has succeeded or failed."""
        return self.store.cancel(job_id)
