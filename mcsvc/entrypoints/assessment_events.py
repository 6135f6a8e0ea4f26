"""`assessment.completed` messages, decoded: CloudEvents in binary mode (identity in ce_ headers) or plain JSON."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf import json_format

from mcsvc.app.ingest_assessment import AssessmentCompleted
from mcsvc.domain.errors import McsvcError
from mcsvc.entrypoints.api.fields import ID_LENGTH
from montecarlo.v1 import events_pb2

MAX_BYTES = 1024 * 1024


class PoisonMessage(McsvcError):
    """A message that can never be processed. `reason` is a stable code in UPPER_SNAKE_CASE."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def decode_event(headers: Mapping[str, str], value: bytes | None) -> AssessmentCompleted:
    """The event in a message. Raises PoisonMessage."""
    message = _parse(value)
    event = AssessmentCompleted(
        source=headers.get("ce_source") or message.source,
        event_id=headers.get("ce_id") or message.id,
        assessment_id=message.assessment_id,
        outcome=message.outcome.upper(),
        trace_parent=headers.get("traceparent", ""),
    )
    _require("EVENT_ID", event.event_id, "the header ce_id, or id in the body")
    _require("EVENT_SOURCE", event.source, "the header ce_source, or source in the body")
    _require("ASSESSMENT_ID", event.assessment_id, "assessment_id in the body")
    _require("OUTCOME", event.outcome, "outcome in the body")
    return event


def _parse(value: bytes | None) -> events_pb2.AssessmentCompletedEvent:
    if not value:
        raise PoisonMessage("EMPTY", "The message has no body.")
    if len(value) > MAX_BYTES:
        raise PoisonMessage("TOO_LARGE", f"The body has {len(value)} bytes; at most {MAX_BYTES} are read.")
    try:
        return json_format.Parse(value, events_pb2.AssessmentCompletedEvent(), ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError, RecursionError) as error:
        raise PoisonMessage("NOT_JSON", f"The body is not the JSON of an AssessmentCompletedEvent: {error}") from error


def _require(name: str, value: str, where: str) -> None:
    if not (1 <= len(value) <= ID_LENGTH and value.isprintable()):
        raise PoisonMessage(f"BAD_{name}", f"Give 1 to {ID_LENGTH} printable characters as {where}.")
