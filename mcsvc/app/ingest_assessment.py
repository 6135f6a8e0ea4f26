"""A completed assessment makes a job if it was passed: one for each event, however often the event arrives."""

from __future__ import annotations

import json
from dataclasses import dataclass

from mcsvc.app.trigger_simulation import TriggerRequest, TriggerSimulation
from mcsvc.domain.job import Job, Trigger
from mcsvc.domain.subject import Settings, Subject, SubjectKind

PASSED = "PASSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentCompleted:
    """An `assessment.completed` event; (source, event_id) is its identity."""

    source: str
    event_id: str
    assessment_id: str
    outcome: str
    trace_parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestAssessment:
    """See the module."""

    trigger: TriggerSimulation

    def __call__(self, event: AssessmentCompleted) -> Job | None:
        """The job; None if the assessment was not passed.

        Raises:
            RequestIdReused: the identity was used before, for another assessment.
        """
        if event.outcome != PASSED:
            return None
        return self.trigger(
            TriggerRequest(
                subject=Subject(kind=SubjectKind.ASSESSMENT, ref=event.assessment_id),
                settings=Settings(),
                trigger=Trigger.ASSESSMENT_COMPLETED,
                dedup_key=f"event:{json.dumps([event.source, event.event_id])}",  # whatever characters they hold
                trace_parent=event.trace_parent,
            )
        )
