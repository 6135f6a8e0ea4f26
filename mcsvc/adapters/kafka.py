"""The event bus on Kafka: an idempotent producer that reports what the broker has acknowledged.

An event that is not acknowledged in time is reported as not sent, and the outbox sends it again under the same id.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from threading import Lock
from typing import final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from mcsvc.domain.errors import EventBusUnavailable, MessageTooLarge
from mcsvc.observability.logs import get_logger
from mcsvc.ports.job_store import OutboxEvent

_log = get_logger(__name__)
_PING_S = 2.0
_TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})


@final
class KafkaPublisher:
    """See the module."""

    def __init__(self, *, brokers: str, client_id: str, delivery_timeout: timedelta = timedelta(seconds=10)) -> None:
        self._settings = {
            "bootstrap.servers": brokers,
            "client.id": client_id,
            "enable.idempotence": True,
            "compression.type": "gzip",
            "linger.ms": 5,
            "delivery.timeout.ms": int(delivery_timeout.total_seconds() * 1000),
            "error_cb": self._note_error,
            "logger": logging.getLogger("mcsvc.librdkafka"),
        }
        self._lock = Lock()
        self._fatal = False
        self._producer = Producer(self._settings)

    def publish(self, events: Sequence[OutboxEvent], *, timeout: timedelta) -> list[str]:
        """Send, blocking; the ids that the broker has acknowledged."""
        acknowledged: list[str] = []
        with self._lock:
            for event in events:
                self._produce(event, acknowledged)
            self._producer.flush(timeout.total_seconds())
            self._replace_if_fatal()
            return list(acknowledged)

    def send(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, str | bytes | None]],
        timeout: timedelta,
    ) -> None:
        """Send one message as it is.

        Raises:
            MessageTooLarge: the client or the broker takes no message of this size.
            EventBusUnavailable: the broker has not acknowledged it in time.
        """
        outcome: list[KafkaError | None] = []
        with self._lock:
            try:
                self._producer.produce(
                    topic,
                    value=value,
                    key=key,
                    headers=list(headers),
                    on_delivery=lambda error, _: outcome.append(error),
                )
                self._producer.flush(timeout.total_seconds())
            except KafkaException as error:
                outcome.append(error.args[0])
            except BufferError as error:
                raise EventBusUnavailable(f"A message could not be queued for {topic}: {error}.") from error
            self._replace_if_fatal()
        _raise_unless_sent(topic, outcome)

    def ping(self) -> None:
        """Raises EventBusUnavailable unless a broker answers."""
        try:
            self._producer.list_topics(timeout=_PING_S)
        except KafkaException as error:
            raise EventBusUnavailable(f"No Kafka broker answers: {error}. Check KAFKA_BROKERS.") from error

    def close(self) -> None:
        """Give what is still under way a moment to arrive."""
        self._producer.flush(_PING_S)

    def _produce(self, event: OutboxEvent, acknowledged: list[str]) -> None:
        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                acknowledged.append(event.id)
            else:
                _log.warning("event_not_delivered", event_id=event.id, topic=event.topic, error=str(error))

        headers: list[tuple[str, str | bytes | None]] = [*event.headers.items()]
        try:
            self._producer.produce(
                event.topic, value=event.payload, key=event.key, headers=headers, on_delivery=delivered
            )
        except (BufferError, KafkaException) as error:
            _log.warning("event_not_queued", event_id=event.id, topic=event.topic, error=str(error))

    def _replace_if_fatal(self) -> None:
        """An idempotent producer that lost its sequence refuses all further work: begin a new one."""
        if self._fatal:
            self._fatal = False
            self._producer = Producer(self._settings)
            _log.warning("producer_replaced")

    def _note_error(self, error: KafkaError) -> None:
        self._fatal = self._fatal or error.fatal()
        _log.warning("kafka_error", error=str(error), remedy="librdkafka reconnects by itself; check the brokers.")


def _raise_unless_sent(topic: str, outcome: Sequence[KafkaError | None]) -> None:
    if not outcome:
        raise EventBusUnavailable(f"No broker acknowledged a message to {topic} in time. Check KAFKA_BROKERS.")
    error = outcome[0]
    if error is None:
        return
    if error.code() in _TOO_LARGE:
        raise MessageTooLarge(f"{topic} takes no message of this size: {error}.")
    raise EventBusUnavailable(f"A message to {topic} was not taken: {error}. Check KAFKA_BROKERS and the topic.")
