"""Jobs, newest first, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcsvc.domain.job import Job
from mcsvc.ports.job_store import Cursor, JobFilter, JobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """One page; `next` is where the following page starts, None if this was the last."""

    jobs: Sequence[Job]
    next: Cursor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSimulations:
    """See the module."""

    store: JobStore

    def __call__(self, where: JobFilter, limit: int, after: Cursor | None = None) -> JobPage:
        """Up to `limit` jobs that match; one more is looked for, to know whether a page follows."""
        found = self.store.find(where, limit=limit + 1, after=after)
        jobs = found[:limit]
        more = len(found) > limit
        return JobPage(jobs=jobs, next=Cursor(create_time=jobs[-1].create_time, id=jobs[-1].id) if more else None)
