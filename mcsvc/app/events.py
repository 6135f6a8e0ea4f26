"""The events a finished job owes the world: CloudEvents in binary mode, ProtoJSON in snake_case, stable ids."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from mcsvc.app.tracing import trace_parent
from mcsvc.domain.job import Failure, Job, Trigger
from mcsvc.domain.subject import Subject, SubjectKind
from mcsvc.ports.job_store import OutboxEvent
from montecarlo.v1 import events_pb2, result_pb2, simulation_pb2

COMPLETED_TOPIC = "montecarlo.simulation-completed"
FAILED_TOPIC = "montecarlo.simulation-failed"
SOURCE = "montecarlo.v1.SimulationService"

_EVENT_IDS = UUID("0e5f5c0a-58d1-4c39-9d8e-1d3f2e0a6b41")  # drawn once; the namespace of our event ids
_TRIGGERS = {
    Trigger.API: simulation_pb2.SIMULATION_TRIGGER_API,
    Trigger.ASSESSMENT_COMPLETED: simulation_pb2.SIMULATION_TRIGGER_ASSESSMENT_COMPLETED,
    Trigger.SCHEDULE: simulation_pb2.SIMULATION_TRIGGER_SCHEDULE,
}


def completed_event(job: Job, outcomes: result_pb2.Outcomes) -> OutboxEvent:
    """The job has succeeded."""
    event_id = _event_id(job, COMPLETED_TOPIC)
    message = events_pb2.SimulationCompletedEvent(
        id=event_id,
        simulation_id=str(job.id),
        assessment_id=_ref(job.subject, SubjectKind.ASSESSMENT),
        funded_account_id=_ref(job.subject, SubjectKind.FUNDED_ACCOUNT),
        trigger=_TRIGGERS[job.trigger],
        finish_time=_timestamp(job.finish_time),
        outcomes=outcomes,
        input_digest=job.input_digest,
        result_digest=job.result_digest,
    )
    return _outbox_event(job, COMPLETED_TOPIC, event_id, message)


def failed_event(job: Job) -> OutboxEvent:
    """The job was given up."""
    event_id = _event_id(job, FAILED_TOPIC)
    message = events_pb2.SimulationFailedEvent(
        id=event_id,
        simulation_id=str(job.id),
        assessment_id=_ref(job.subject, SubjectKind.ASSESSMENT),
        funded_account_id=_ref(job.subject, SubjectKind.FUNDED_ACCOUNT),
        trigger=_TRIGGERS[job.trigger],
        finish_time=_timestamp(job.finish_time),
        error=_error(job.failure),
    )
    return _outbox_event(job, FAILED_TOPIC, event_id, message)


def _outbox_event(job: Job, topic: str, event_id: str, message: Message) -> OutboxEvent:
    payload = MessageToJson(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True, indent=None
    ).encode()
    headers = {
        "ce_specversion": "1.0",
        "ce_type": topic,
        "ce_source": SOURCE,
        "ce_id": event_id,
        "content-type": "application/json",
    }
    parent = trace_parent() or job.trace_parent
    if parent:
        headers["traceparent"] = parent
    return OutboxEvent(id=event_id, topic=topic, key=str(job.id), payload=payload, headers=headers)


def _event_id(job: Job, topic: str) -> str:
    return str(uuid5(_EVENT_IDS, f"{topic}:{job.id}"))


def _timestamp(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    message = Timestamp()
    message.FromDatetime(time)
    return message


def _error(failure: Failure | None) -> simulation_pb2.SimulationError | None:
    return None if failure is None else simulation_pb2.SimulationError(code=failure.code, message=failure.message)


def _ref(subject: Subject, kind: SubjectKind) -> str:
    return subject.ref if subject.kind is kind else ""
