"""Asks the database whether it answers, and tells what waits there. While that is not known, nothing is told of it."""

from __future__ import annotations

from mcsvc.observability.metrics import Metrics
from mcsvc.ports.job_store import JobStore

MOST_COUNTED = 10_000


def ping_and_tell(store: JobStore, metrics: Metrics) -> None:
    """Raises StoreUnavailable unless the store answers and its schema is the one this version needs."""
    try:
        store.ping()
        found = store.backlog(most=MOST_COUNTED)
    except Exception:
        for reading in (metrics.jobs_pending, metrics.jobs_due_for, metrics.outbox_unsent):
            reading.forget()
        raise
    metrics.jobs_pending.set(found.pending)
    metrics.jobs_due_for.set_each("trigger", {by.value: since.total_seconds() for by, since in found.due_for.items()})
    metrics.outbox_unsent.set(found.unsent)
