"""What becomes of one message of `assessment.completed`: a job, nothing, or a dead letter.

Only the broker or the database being away leaves a message undone (`Retryable`); it is then given again. An error that
nobody foresaw is tried a few times and then counts as poison, so that one message can never block its partition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from opentelemetry.trace import SpanKind, Tracer

from mcsvc.app.ingest_assessment import AssessmentCompleted
from mcsvc.domain.errors import McsvcError, Retryable
from mcsvc.domain.job import Job
from mcsvc.entrypoints.assessment_events import PoisonMessage, decode_event
from mcsvc.entrypoints.dead_letters import DeadLetters, Origin
from mcsvc.observability.logs import get_logger
from mcsvc.observability.metrics import Metrics
from mcsvc.observability.tracing import current_traceparent, span, well_formed

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentInbox:
    """See the module."""

    ingest: Callable[[AssessmentCompleted], Job | None]
    dead_letters: DeadLetters
    tracer: Tracer
    metrics: Metrics
    unforeseen_tries: int = 3

    def process(self, origin: Origin, *, tries: int) -> None:
        """Process a message for the `tries`-th time, from 1. Returns once its offset may be stored.

        Raises:
            Retryable: the message is undone; give it again later.
        """
        headers = {name: (value or b"").decode("utf-8", "replace") for name, value in origin.headers}
        parent = headers.get("traceparent", "")
        with span(self.tracer, f"{origin.topic} process", kind=SpanKind.CONSUMER, parent=parent):
            headers["traceparent"] = current_traceparent() or well_formed(parent)
            try:
                outcome = self._ingest(headers, origin)
            except PoisonMessage as poison:
                self._bury(origin, poison)
                outcome = "dead_lettered"
            except Retryable:
                raise
            except Exception as error:  # noqa: BLE001 — the consumer must not die of any message
                self._raise_or_bury(origin, error, tries=tries)
                outcome = "dead_lettered"
            self.metrics.consumer_messages.add(1, {"outcome": outcome})

    def _ingest(self, headers: dict[str, str], origin: Origin) -> str:
        event = decode_event(headers, origin.value)
        job = self.ingest(event)
        if job is None:
            return "not_passed"
        self.metrics.jobs_triggered.add(1, {"trigger": job.trigger.value})
        _log.info("assessment_ingested", job_id=str(job.id), assessment_id=event.assessment_id, event_id=event.event_id)
        return "job"

    def _raise_or_bury(self, origin: Origin, error: Exception, *, tries: int) -> None:
        if isinstance(error, McsvcError):
            self._bury(origin, PoisonMessage("REFUSED", str(error)))
            return
        _log.exception("message_unforeseen_error", topic=origin.topic, offset=origin.offset, tries=tries)
        if tries < self.unforeseen_tries:
            raise Retryable(f"{type(error).__name__} while processing a message; it is tried again.") from error
        self._bury(origin, PoisonMessage("UNFORESEEN", f"{type(error).__name__}; see the service's log."))

    def _bury(self, origin: Origin, poison: PoisonMessage) -> None:
        self.dead_letters.put(origin, poison)
        _log.warning(
            "message_dead_lettered",
            topic=origin.topic,
            partition=origin.partition,
            offset=origin.offset,
            reason=poison.reason,
            detail=str(poison),
        )
