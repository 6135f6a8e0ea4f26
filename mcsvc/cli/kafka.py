"""The Kafka side of the verbs: publishing an assessment's end, and waiting for what came of it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from google.protobuf import json_format
from google.protobuf.message import Message as ProtoMessage

from mcsvc.cli.running import CliError
from montecarlo.v1.events_pb2 import AssessmentCompletedEvent, SimulationCompletedEvent, SimulationFailedEvent

ASSESSMENTS = "assessment.completed"
COMPLETED = "montecarlo.simulation-completed"
FAILED = "montecarlo.simulation-failed"
TIMEOUT_S = 15.0
_POLL_S = 0.1


def publish(brokers: str, event: AssessmentCompletedEvent) -> str:
    """Publish that an assessment is completed: where the event is now. Raises CliError."""
    return send(brokers, ASSESSMENTS, event.assessment_id, event)


def send(brokers: str, topic: str, key: str, event: ProtoMessage) -> str:
    """Send, and wait until the broker has it: `topic [partition] @ offset`. Raises CliError."""
    outcome: list[Message | KafkaError] = []
    producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "log_level": 0})
    body = json_format.MessageToJson(event, preserving_proto_field_name=True, indent=None)
    producer.produce(topic, body, key=key, on_delivery=lambda error, message: outcome.append(error or message))
    producer.flush(TIMEOUT_S)
    if not outcome or isinstance(outcome[0], KafkaError):
        reason = f": {outcome[0].str()}" if outcome and isinstance(outcome[0], KafkaError) else ""
        raise CliError(f"No Kafka broker at {brokers} took the event{reason}. Name the right ones with --brokers.")
    message = outcome[0]
    return f"{message.topic()} [{message.partition()}] @ {message.offset()}"


class Outcomes:
    """Reads the completion and failure events that are published from now on; it joins no group.

    Asking for a topic makes it, where the brokers allow that: the first event may be the one that is waited for.
    """

    def __init__(self, brokers: str) -> None:
        self._brokers = brokers
        settings = {"bootstrap.servers": brokers, "group.id": "mcsvc-cli", "log_level": 0}
        self._consumer = Consumer(settings | {"enable.auto.commit": False, "allow.auto.create.topics": True})
        try:
            self._consumer.assign([end for topic in (COMPLETED, FAILED) for end in self._ends(topic)])
        except KafkaException as error:
            raise CliError(
                f"Cannot read the topics of {brokers}: {error.args[0].str()}. Is it a Kafka broker?"
            ) from None

    def wait_for(self, assessment_id: str, *, timeout_s: float, check: Callable[[], None]) -> SimulationCompletedEvent:
        """The completion event of the assessment; `check` is called while waiting. Raises CliError on failure."""
        deadline = monotonic() + timeout_s
        while monotonic() < deadline:
            check()
            event = self._next()
            if event is None or event.assessment_id != assessment_id:
                continue
            if isinstance(event, SimulationFailedEvent):
                raise CliError(f"The simulation failed. {event.error.code}: {event.error.message}")
            return event
        raise CliError(f"No event for assessment {assessment_id} within {timeout_s:.0f} s. See the service's log.")

    def close(self) -> None:
        """Leave the brokers."""
        self._consumer.close()

    def _ends(self, topic: str) -> list[TopicPartition]:
        partitions = [TopicPartition(topic, number) for number in self._partitions(topic)]
        for partition in partitions:
            partition.offset = self._consumer.get_watermark_offsets(partition, timeout=TIMEOUT_S)[1]
        return partitions

    def _partitions(self, topic: str) -> list[int]:
        deadline = monotonic() + TIMEOUT_S
        while not (known := list(self._consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions)):
            if monotonic() > deadline:
                raise CliError(f"{self._brokers} has no topic {topic} and makes none when asked for it. Create it.")
            sleep(_POLL_S)
        return known

    def _next(self) -> SimulationCompletedEvent | SimulationFailedEvent | None:
        message = self._consumer.poll(_POLL_S)
        if message is None or message.error():
            return None
        kind = SimulationCompletedEvent if message.topic() == COMPLETED else SimulationFailedEvent
        return json_format.Parse(message.value() or b"{}", kind(), ignore_unknown_fields=True)
