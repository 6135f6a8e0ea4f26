"""`mcsvc publish-assessment`: tell the service, as the firm's systems do, that an assessment is completed."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from datetime import UTC, datetime
from uuid import uuid4

from google.protobuf.json_format import MessageToJson

from mcsvc.app.ingest_assessment import PASSED
from mcsvc.cli import kafka, render
from mcsvc.cli.running import USAGE, CliError
from mcsvc.config import load_kafka
from mcsvc.entrypoints.assessment_events import PoisonMessage, decode_event
from montecarlo.v1.events_pb2 import AssessmentCompletedEvent

SOURCE = "mcsvc-cli"


def run(args: Namespace) -> int:
    """Publish the event and say where it went."""
    event = new_event(args.assessment, outcome=args.outcome, event_id=args.event_id)
    try:
        read = decode_event({}, MessageToJson(event).encode())
    except PoisonMessage as refused:
        raise CliError(f"The service would refuse this event: {refused}", exit_code=USAGE) from None
    access = load_kafka(os.environ | {"KAFKA_BROKERS": args.brokers})
    if access.exposed():
        sys.stderr.write(f"warning: {access.exposed()}\n")
    where = kafka.publish(access, event)
    console = render.stdout()
    console.print(
        f"Published event {event.id} of assessment {event.assessment_id} to {where}.", markup=False, soft_wrap=True
    )
    if read.outcome != PASSED:
        console.print(
            f"It is not simulated: its outcome is {read.outcome}, and only {PASSED} is.", markup=False, soft_wrap=True
        )
    return 0


def new_event(assessment_id: str, *, outcome: str = PASSED, event_id: str = "") -> AssessmentCompletedEvent:
    """An event of this moment."""
    event = AssessmentCompletedEvent(
        id=event_id or str(uuid4()), source=SOURCE, assessment_id=assessment_id, outcome=outcome
    )
    event.completed_at.FromDatetime(datetime.now(UTC))
    return event
