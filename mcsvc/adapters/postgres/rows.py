"""Rows and jobs, into each other."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from mcsvc.domain.errors import JobUnreadable
from mcsvc.domain.job import Failure, Job, JobId, OwnerId, Progress, State, Term, Timing, Trigger
from mcsvc.domain.subject import Model, Settings, Subject, SubjectKind, settings_form
from mcsvc.ports.job_store import Backlog, Cursor, JobFilter, OutboxEvent

_CONDITIONS = {
    "state": "state = %(state)s",
    "assessment_id": "subject_kind = 'assessment' AND subject_ref = %(assessment_id)s",
    "funded_account_id": "subject_kind = 'funded_account' AND subject_ref = %(funded_account_id)s",
    "trigger": "trigger_kind = %(trigger)s",
    "created_from": "create_time >= %(created_from)s",
    "created_after": "create_time > %(created_after)s",
    "created_until": "create_time <= %(created_until)s",
    "created_before": "create_time < %(created_before)s",
}
KNOWN: dict[str, Any] = {
    "known_settings": [field.name for field in fields(Settings)],
    "known_models": [model.value for model in Model],
    "known_subjects": [kind.value for kind in SubjectKind],
    "known_triggers": [trigger.value for trigger in Trigger],
    "known_states": [state.value for state in State],
}
"""What this version can read: parameters of every statement that passes over jobs of another version."""

_AFTER_CURSOR = "(create_time, id) < (%(after_time)s, %(after_id)s)"


def job_of(row: DictRow) -> Job:
    """The job a row holds. Raises JobUnreadable for one of another version of the service."""
    try:
        return _job_of(row)
    except (KeyError, TypeError, ValueError) as error:
        told = f"Job {row['id']} is of another version of the service: ask that one, or upgrade ({error})."
        raise JobUnreadable(told) from error


def _job_of(row: DictRow) -> Job:
    owner, code = row["owner"], row["failure_code"]
    return Job(
        id=JobId(row["id"]),
        subject=Subject(kind=SubjectKind(row["subject_kind"]), ref=row["subject_ref"]),
        settings=Settings(**{**row["settings"], "model": Model(row["settings"]["model"])}),
        trigger=Trigger(row["trigger_kind"]),
        dedup_key=row["dedup_key"],
        body_digest=row["body_digest"],
        create_time=row["create_time"],
        run_after=row["run_after"],
        max_attempts=row["max_attempts"],
        state=State(row["state"]),
        attempt=row["attempt"],
        owner=None if owner is None else OwnerId(owner),
        request_id=row["request_id"],
        trace_parent=row["trace_parent"],
        start_time=row["start_time"],
        finish_time=row["finish_time"],
        progress=Progress(paths_done=row["paths_done"], paths_total=row["paths_total"]),
        failure=None if code is None else Failure(code=code, message=row["failure_message"]),
        input_digest=row["input_digest"],
        result_digest=row["result_digest"],
        timing=Timing(queued_s=row["queued_s"], fetch_s=row["fetch_s"], simulate_s=row["simulate_s"]),
    )


def new_job_params(job: Job) -> dict[str, Any]:
    """What `insert_job` takes."""
    return {
        "id": job.id,
        "dedup_key": job.dedup_key,
        "body_digest": job.body_digest,
        "request_id": job.request_id,
        "subject_kind": job.subject.kind.value,
        "subject_ref": job.subject.ref,
        "settings": Jsonb(settings_form(job.settings)),
        "trigger_kind": job.trigger.value,
        "trace_parent": job.trace_parent,
        "max_attempts": job.max_attempts,
        "input_digest": job.input_digest,
    }


def move_params(after: Job) -> dict[str, Any]:
    """What `update_moved_job` takes."""
    return {
        "id": after.id,
        "state": after.state.value,
        "max_attempts": after.max_attempts,
        "attempt": after.attempt,
        "run_after": after.run_after,
        "finish_time": after.finish_time,
        "paths_done": after.progress.paths_done,
        "paths_total": after.progress.paths_total,
        "failure_code": after.failure.code if after.failure else None,
        "failure_message": after.failure.message if after.failure else None,
        "result_digest": after.result_digest,
        "queued_s": after.timing.queued_s,
        "fetch_s": after.timing.fetch_s,
        "simulate_s": after.timing.simulate_s,
    }


def term_params(term: Term) -> dict[str, Any]:
    """What every fenced statement takes."""
    return {"id": term.job_id, "owner": term.owner, "attempt": term.attempt}


def progress_params(progress: Progress) -> dict[str, Any]:
    """What `set_progress` takes besides the term."""
    return {"paths_done": progress.paths_done, "paths_total": progress.paths_total}


def event_params(event: OutboxEvent) -> dict[str, Any]:
    """What `put_event` takes."""
    return {**asdict(event), "headers": Jsonb(event.headers)}


def event_of(row: DictRow) -> OutboxEvent:
    """The event a row holds."""
    return OutboxEvent(
        id=row["id"], topic=row["topic"], key=row["event_key"], payload=row["payload"], headers=row["headers"]
    )


def backlog_of(row: DictRow) -> Backlog:
    """The backlog a row tells of."""
    none = timedelta(0)
    due_for = {trigger: max(row[f"{trigger.value}_for"] or none, none) for trigger in Trigger}
    return Backlog(pending=row["pending"], due_for=due_for, unsent=row["unsent"])


def list_conditions(where: JobFilter, after: Cursor | None) -> tuple[list[str], dict[str, Any]]:
    """The conditions of a list, each a fragment of ours, and their parameters."""
    given = {name: getattr(where, name) for name in _CONDITIONS if getattr(where, name) is not None}
    params = {name: value.value if isinstance(value, State | Trigger) else value for name, value in given.items()}
    conditions = [_CONDITIONS[name] for name in given]
    if after is not None:
        conditions.append(_AFTER_CURSOR)
        params |= {"after_time": after.create_time, "after_id": after.id}
    return conditions, params
