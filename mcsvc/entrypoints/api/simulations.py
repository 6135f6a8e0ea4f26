"""Jobs as callers see them: domain jobs encoded as `montecarlo.v1.Simulation`."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from mcsvc.app.snapshot import to_settings_message
from mcsvc.domain.job import Job, State, Trigger
from mcsvc.domain.subject import Subject, SubjectKind
from mcsvc.ports.job_store import StoredResult
from montecarlo.v1 import result_pb2, simulation_pb2

_STATES = {
    State.PENDING: simulation_pb2.SIMULATION_STATE_PENDING,
    State.RUNNING: simulation_pb2.SIMULATION_STATE_RUNNING,
    State.SUCCEEDED: simulation_pb2.SIMULATION_STATE_SUCCEEDED,
    State.FAILED: simulation_pb2.SIMULATION_STATE_FAILED,
    State.CANCELLED: simulation_pb2.SIMULATION_STATE_CANCELLED,
}
_TRIGGERS = {
    Trigger.API: simulation_pb2.SIMULATION_TRIGGER_API,
    Trigger.ASSESSMENT_COMPLETED: simulation_pb2.SIMULATION_TRIGGER_ASSESSMENT_COMPLETED,
    Trigger.SCHEDULE: simulation_pb2.SIMULATION_TRIGGER_SCHEDULE,
}


def encode_simulation(job: Job, result: StoredResult | None = None) -> simulation_pb2.Simulation:
    """One job, with its result where the caller is to have it."""
    message = simulation_pb2.Simulation(
        id=str(job.id),
        state=_STATES[job.state],
        subject=_subject(job.subject),
        settings=to_settings_message(job.settings),
        trigger=_TRIGGERS[job.trigger],
        create_time=_timestamp(job.create_time),
        start_time=_timestamp(job.start_time),
        finish_time=_timestamp(job.finish_time),
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        input_digest=job.input_digest,
        result_digest=job.result_digest,
        timing=simulation_pb2.SimulationTiming(
            queued_s=job.timing.queued_s, fetch_s=job.timing.fetch_s, simulate_s=job.timing.simulate_s
        ),
        request_id=job.request_id,
    )
    _add_what_the_state_allows(message, job, result)
    return message


def _add_what_the_state_allows(message: simulation_pb2.Simulation, job: Job, result: StoredResult | None) -> None:
    if job.state is State.RUNNING:
        message.progress.CopyFrom(
            simulation_pb2.Progress(paths_done=job.progress.paths_done, paths_total=job.progress.paths_total)
        )
    if job.failure is not None and job.state in {State.PENDING, State.RUNNING, State.FAILED}:
        message.error.code = job.failure.code
        message.error.message = job.failure.message
    if job.state is State.SUCCEEDED and result is not None:
        message.result.CopyFrom(result_pb2.SimulationResult.FromString(result.data))


def _subject(subject: Subject) -> simulation_pb2.SimulationSubject:
    match subject.kind:
        case SubjectKind.ASSESSMENT:
            return simulation_pb2.SimulationSubject(assessment_id=subject.ref)
        case SubjectKind.FUNDED_ACCOUNT:
            return simulation_pb2.SimulationSubject(funded_account_id=subject.ref)
        case SubjectKind.INLINE:
            return simulation_pb2.SimulationSubject(inline=simulation_pb2.InlineInput())


def _timestamp(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
