"""The event bus on Kafka: an idempotent producer that reports what the broker has acknowledged.

An event that is not acknowledged in time is reported as not sent, and the outbox sends it again under the same id.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from threading import Lock
from typing import final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from mcsvc.app.events import COMPLETED_TOPIC
from mcsvc.domain.errors import EventBusUnavailable, MessageTooLarge
from mcsvc.kafka_access import KafkaAccess
from mcsvc.kafka_troubles import LOGGER, TOO_LARGE, Troubles, ask, remedy
from mcsvc.observability.logs import get_logger
from mcsvc.ports.job_store import OutboxEvent

_log = get_logger(__name__)
_PING_S = 2.0


@final
class KafkaPublisher:
    """See the module."""

    def __init__(
        self, access: KafkaAccess, *, client_id: str, delivery_timeout: timedelta = timedelta(seconds=10)
    ) -> None:
        self._settings = access.client(client_id) | {
            "enable.idempotence": True,
            "compression.type": "gzip",
            "linger.ms": 5,
            "delivery.timeout.ms": int(delivery_timeout.total_seconds() * 1000),
            "error_cb": self._note_error,
            "logger": LOGGER,
        }
        self._troubles = Troubles()
        self._lock = Lock()
        self._fatal = False
        self._producer = Producer(self._settings)

    def publish(self, events: Sequence[OutboxEvent], *, timeout: timedelta) -> list[str]:
        """Send, blocking; the ids that the broker has acknowledged.

        A topic refuses a batch for its size as a whole: its events are sent again, each by itself.
        """
        acknowledged: list[str] = []
        give_up_at = time.monotonic() + timeout.total_seconds()
        with self._lock:
            for event in self._refused_together(events, acknowledged, timeout.total_seconds()):
                left_s = give_up_at - time.monotonic()
                if left_s <= 0:
                    break
                for refused in self._refused_together([event], acknowledged, left_s):
                    self._log_unsent("event_not_delivered", refused, KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
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
        self._raise_unless_sent(topic, outcome)

    def ping(self) -> None:
        """Raises EventBusUnavailable unless a broker answers. It asks of one topic: a cluster may have thousands."""
        ask(self._producer, self._troubles, within_s=_PING_S, topic=COMPLETED_TOPIC)

    def close(self) -> None:
        """Give what is still under way a moment to arrive."""
        self._flush(_PING_S)

    def _flush(self, within_s: float) -> None:
        """Wait for what is under way. A fatal error is raised here, too, by the client."""
        try:
            self._producer.flush(within_s)
        except KafkaException as error:
            self._note_error(error.args[0])

    def _refused_together(
        self, events: Sequence[OutboxEvent], acknowledged: list[str], within_s: float
    ) -> list[OutboxEvent]:
        """Those of the events that the broker refused for the size of their batch."""
        refused: list[OutboxEvent] = []
        for event in events:
            self._produce(event, acknowledged, refused)
        self._flush(within_s)
        return list(refused)

    def _produce(self, event: OutboxEvent, acknowledged: list[str], refused: list[OutboxEvent]) -> None:
        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                acknowledged.append(event.id)
            elif error.code() in TOO_LARGE:
                refused.append(event)
            else:
                self._log_unsent("event_not_delivered", event, error)

        headers: list[tuple[str, str | bytes | None]] = [*event.headers.items()]
        try:
            self._producer.produce(
                event.topic, value=event.payload, key=event.key, headers=headers, on_delivery=delivered
            )
        except KafkaException as error:
            self._log_unsent("event_not_queued", event, error.args[0])
        except BufferError as error:
            _log.warning("event_not_queued", event_id=event.id, topic=event.topic, error=str(error))

    def _replace_if_fatal(self) -> None:
        """An idempotent producer that lost its sequence refuses all further work: begin a new one."""
        if self._fatal:
            self._fatal = False
            self._producer = Producer(self._settings)
            _log.warning("producer_replaced")

    def _note_error(self, error: KafkaError) -> None:
        self._fatal = self._fatal or error.fatal()
        if self._troubles.hear(error):
            _log.warning("kafka_error", error=error.str(), remedy=remedy(error))

    def _log_unsent(self, what: str, event: OutboxEvent, error: KafkaError) -> None:
        _log.warning(what, event_id=event.id, topic=event.topic, error=self._troubles.why(error))

    def _raise_unless_sent(self, topic: str, outcome: Sequence[KafkaError | None]) -> None:
        if not outcome:
            why = self._troubles.why()
            raise EventBusUnavailable(f"No broker acknowledged a message to {topic} in time: {why}")
        error = outcome[0]
        if error is None:
            return
        if error.code() in TOO_LARGE:
            raise MessageTooLarge(f"{topic} takes no message of this size: {error.str()}.")
        raise EventBusUnavailable(f"A message to {topic} was not taken: {self._troubles.why(error)}")
