"""Make a job, once for each dedup key however often it is asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from mcsvc.domain.job import Job, JobId, Trigger
from mcsvc.domain.subject import Settings, Subject, settings_form
from mcsvc.ports.clock import Clock
from mcsvc.ports.job_store import JobStore, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRequest:
    """What to simulate, how, and what asked for it.

    `inline` is the whole input if it came with the request. An empty `dedup_key` is derived from the request id, or is
    unique if there is none either. `trace_parent` is a W3C traceparent, or empty.
    """

    subject: Subject
    settings: Settings
    trigger: Trigger
    request_id: str = ""
    dedup_key: str = ""
    inline: Snapshot | None = None
    trace_parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSimulation:
    """See the module."""

    store: JobStore
    clock: Clock
    new_id: Callable[[], JobId]
    max_attempts: int = 3

    def __call__(self, request: TriggerRequest) -> Job:
        """The job made now, or the one made when the key was first used.

        Raises:
            RequestIdReused: the key was used before, with another body.
        """
        job, _ = self.once(request)
        return job

    def once(self, request: TriggerRequest) -> tuple[Job, bool]:
        """The same, and whether the job was made now."""
        job_id = self.new_id()
        now = self.clock.now()
        job = Job(
            id=job_id,
            subject=request.subject,
            settings=request.settings,
            trigger=request.trigger,
            dedup_key=request.dedup_key or _dedup_key(request.request_id, job_id),
            body_digest=body_digest(request.subject, request.settings),
            create_time=now,
            run_after=now,
            max_attempts=self.max_attempts,
            request_id=request.request_id,
            trace_parent=request.trace_parent,
            input_digest=request.inline.digest if request.inline else "",
        )
        return self.store.create(job, request.inline)


def body_digest(subject: Subject, settings: Settings) -> str:
    """SHA-256, in hex, of everything a request asks for."""
    body = {
        "subject": [subject.kind.value, subject.ref],
        "settings": settings_form(settings),
    }
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _dedup_key(request_id: str, job_id: JobId) -> str:
    return f"request:{request_id}" if request_id else f"unique:{job_id}"
