"""One job, with its result if it has one: the job from the store, its unchanging result from the cache if it can."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from mcsvc.domain.job import Job, JobId, State
from mcsvc.ports.cache import Cache
from mcsvc.ports.job_store import JobStore, StoredResult


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job and its result; None unless SUCCEEDED."""

    job: Job
    result: StoredResult | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSimulation:
    """See the module."""

    store: JobStore
    cache: Cache
    keep: timedelta = timedelta(hours=1)

    def __call__(self, job_id: JobId) -> JobView:
        """Raises JobNotFound."""
        job = self.store.get(job_id)
        return JobView(job=job, result=self._result(job) if job.state is State.SUCCEEDED else None)

    def _result(self, job: Job) -> StoredResult | None:
        key = f"result:{job.id}:{job.result_digest}"
        cached = self.cache.get(key)
        if cached is not None:
            return StoredResult(data=cached, digest=job.result_digest)
        result = self.store.result(job.id)
        if result is not None:
            self.cache.put(key, result.data, ttl=self.keep)
        return result
