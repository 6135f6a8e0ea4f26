"""The Kafka side of the verbs: publishing an assessment's end, and waiting for what came of it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from google.protobuf import json_format
from google.protobuf.message import Message as ProtoMessage

from mcsvc.cli.running import CliError
from mcsvc.domain.errors import EventBusUnavailable
from mcsvc.kafka_access import KafkaAccess
from mcsvc.kafka_troubles import Troubles, ask
from montecarlo.v1.events_pb2 import AssessmentCompletedEvent, SimulationCompletedEvent, SimulationFailedEvent

ASSESSMENTS = "assessment.completed"
COMPLETED = "montecarlo.simulation-completed"
FAILED = "montecarlo.simulation-failed"
TIMEOUT_S = 15.0
_POLL_S = 0.1
_NOT_LED = frozenset(
    {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART}
)


def publish(access: KafkaAccess, event: AssessmentCompletedEvent) -> str:
    """Publish that an assessment is completed: where the event is now. Raises CliError."""
    return send(access, ASSESSMENTS, event.assessment_id, event)


def send(access: KafkaAccess, topic: str, key: str, event: ProtoMessage) -> str:
    """Send, and wait until the broker has it: `topic [partition] @ offset`. Raises CliError."""
    outcome: list[Message | KafkaError] = []
    troubles = Troubles()
    producer = Producer(_client(access, troubles) | {"enable.idempotence": True})
    body = json_format.MessageToJson(event, preserving_proto_field_name=True, indent=None)
    producer.produce(topic, body, key=key, on_delivery=lambda error, message: outcome.append(error or message))
    deadline = monotonic() + TIMEOUT_S
    while not outcome and not troubles.refused() and monotonic() < deadline:
        producer.poll(_POLL_S)
    message = outcome[0] if outcome else None
    if message is None or isinstance(message, KafkaError):
        raise CliError(f"No Kafka broker at {access.brokers} took the event: {troubles.why(message)}")
    return f"{message.topic()} [{message.partition()}] @ {message.offset()}"


def _client(access: KafkaAccess, troubles: Troubles) -> dict[str, Any]:
    return access.client("mcsvc-cli") | {"error_cb": troubles.hear, "log_level": 0}


class Outcomes:
    """Reads the completion and failure events that are published from now on; it joins no group.

    Asking for a topic makes it, where the brokers allow that: the first event may be the one that is waited for.
    """

    def __init__(self, access: KafkaAccess) -> None:
        self._brokers = access.brokers
        self._troubles = Troubles()
        reading = {"group.id": "mcsvc-cli", "enable.auto.commit": False, "allow.auto.create.topics": True}
        self._consumer = Consumer(_client(access, self._troubles) | reading)
        try:
            self._consumer.assign([end for topic in (COMPLETED, FAILED) for end in self._ends(topic)])
        except (EventBusUnavailable, KafkaException) as error:
            why = error if isinstance(error, EventBusUnavailable) else self._troubles.why(error.args[0])
            raise CliError(f"Cannot read the topics of {self._brokers}: {why}") from None

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
            partition.offset = self._end(partition)
        return partitions

    def _end(self, partition: TopicPartition) -> int:
        """Where the next event will be. A topic that was made just now has no leader yet, which is waited for."""
        deadline = monotonic() + TIMEOUT_S
        while True:
            try:
                return int(self._consumer.get_watermark_offsets(partition, timeout=TIMEOUT_S)[1])
            except KafkaException as error:
                if error.args[0].code() not in _NOT_LED or monotonic() > deadline:
                    raise
                sleep(_POLL_S)

    def _partitions(self, topic: str) -> list[int]:
        deadline = monotonic() + TIMEOUT_S
        while not (known := ask(self._consumer, self._troubles, within_s=TIMEOUT_S, topic=topic)[topic]):
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
