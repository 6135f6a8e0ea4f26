"""Steps that contract tests of the job store share."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from mcsvc.domain.job import Job, JobId, Trigger, term_of
from mcsvc.ports.job_store import JobStore
from tests.job_samples import FAILURE, LEASE, event_of, new_job, new_owner


def created(store: JobStore, job: Job | None = None) -> Job:
    """A new job, pending."""
    return store.create(job or new_job())[0]


def claimed(store: JobStore, job: Job | None = None, *, lease: timedelta = LEASE) -> Job:
    """A new job under its first term."""
    job = created(store, job)
    return next(mine for mine in store.claim_next(new_owner(), limit=100, lease=lease) if mine.id == job.id)


def due(store: JobStore, *jobs: tuple[Trigger, int]) -> list[JobId]:
    """Pending jobs, each of a trigger and due for so many minutes, put off if that is below 0; no others may be due."""
    ids = [created(store, new_job(trigger=trigger)).id for trigger, _ in jobs]
    terms = {job.id: term_of(job) for job in store.claim_longest_due(new_owner(), limit=len(jobs), lease=LEASE)}
    for job_id, (_, minutes) in zip(ids, jobs, strict=True):
        store.retry(terms[job_id], FAILURE, delay=timedelta(minutes=-minutes))
    return ids


def owe(store: JobStore, *, key: str = "") -> Job:
    """A new job that failed, so that an event is owed."""
    job = claimed(store)
    return store.fail(term_of(job), FAILURE, partial(event_of, key=key))
