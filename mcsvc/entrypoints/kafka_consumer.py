"""Reads `assessment.completed` on a thread of its own and never skips a message nor dies of one.

The protocol: an offset is stored only after its message is done (its job is committed, or it is a dead letter), and
stored offsets are committed in the background, at a rebalance and at the end. A message that cannot be done now is
held: its partition is paused, so later messages wait behind it, and it is tried again after a growing delay while
polling goes on, which keeps the membership in the group. Losing the partition drops what is held: its new owner reads
it again, and the event's key makes a second reading harmless.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from mcsvc.domain.errors import Retryable
from mcsvc.entrypoints.assessment_inbox import AssessmentInbox
from mcsvc.entrypoints.dead_letters import Origin
from mcsvc.kafka_access import KafkaAccess
from mcsvc.kafka_troubles import LOGGER, Troubles, remedy
from mcsvc.observability.logs import get_logger
from mcsvc.ports.clock import Clock

_log = get_logger(__name__)
_Place = tuple[str, int]


@dataclass(slots=True, kw_only=True)
class _Held:
    """The undone messages of a paused partition, first first."""

    waiting: deque[Origin] = field(default_factory=deque)
    tries: int = 1
    due: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerSettings:
    """Where to read, and how long a message that cannot be done now waits, at first and at most."""

    access: KafkaAccess
    client_id: str
    group_id: str
    topic: str
    session_timeout: timedelta = timedelta(seconds=15)
    retry_base: timedelta = timedelta(milliseconds=500)
    retry_cap: timedelta = timedelta(seconds=30)


@final
class AssessmentConsumer:
    """See the module. All methods belong to one thread."""

    def __init__(self, settings: ConsumerSettings, inbox: AssessmentInbox, clock: Clock) -> None:
        self._settings = settings
        self._inbox = inbox
        self._clock = clock
        self._held: dict[_Place, _Held] = {}
        self._troubles = Troubles()
        session_ms = int(settings.session_timeout.total_seconds() * 1000)
        self._consumer = Consumer(
            settings.access.client(settings.client_id)
            | {
                "group.id": settings.group_id,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": True,
                "enable.auto.offset.store": False,
                "auto.commit.interval.ms": 1_000,
                "session.timeout.ms": session_ms,
                "heartbeat.interval.ms": min(session_ms // 3, 3_000),
                "allow.auto.create.topics": True,
                "topic.metadata.refresh.interval.ms": 10_000,
                "error_cb": self._note_error,
                "logger": LOGGER,
            }
        )
        self._consumer.subscribe([settings.topic], on_revoke=self._dropped, on_lost=self._dropped)

    def run_once(self, *, wait: timedelta) -> bool:
        """Try what is held and due, then one new message, waited for at most this long. True if a message was done."""
        done = self._turn(wait)
        self._inbox.metrics.partitions_held.set(len(self._held))
        return done

    def close(self) -> None:
        """Leave the group; commits what is stored."""
        self._consumer.close()

    def _turn(self, wait: timedelta) -> bool:
        done = self._try_held()
        message = self._consumer.poll(0 if done else wait.total_seconds())
        if message is None:
            return done
        error = message.error()
        if error is not None:
            self._note_error(error)
            return done
        return self._take(_origin(message)) or done

    def _take(self, origin: Origin) -> bool:
        held = self._held.get((origin.topic, origin.partition))
        if held is not None:
            held.waiting.append(origin)
            return False
        return self._process(origin, tries=1)

    def _try_held(self) -> bool:
        now = self._clock.monotonic()
        due = [(place, held) for place, held in self._held.items() if held.due <= now]
        done = False
        for place, held in due:
            if self._process(held.waiting[0], tries=held.tries):
                self._advance(place, held)
                done = True
        return done

    def _process(self, origin: Origin, *, tries: int) -> bool:
        try:
            self._inbox.process(origin, tries=tries)
        except Retryable as error:
            self._hold((origin.topic, origin.partition), origin, tries=tries, error=error)
            return False
        self._store(origin)
        return True

    def _hold(self, place: _Place, origin: Origin, *, tries: int, error: Retryable) -> None:
        held = self._held.get(place)
        if held is None:
            held = self._held[place] = _Held(waiting=deque([origin]))
            self._consumer.pause([TopicPartition(*place)])
        delay = min(self._settings.retry_base * 2 ** min(tries - 1, 10), self._settings.retry_cap)
        held.due = self._clock.monotonic() + max(delay, error.retry_after or delay).total_seconds()
        held.tries = tries + 1
        _log.warning(
            "message_held", topic=place[0], partition=place[1], offset=origin.offset, tries=tries, error=str(error)
        )

    def _advance(self, place: _Place, held: _Held) -> None:
        """The first message of a held partition is done: go on with the next, or resume the partition."""
        held.waiting.popleft()
        held.tries, held.due = 1, 0.0
        if not held.waiting:
            del self._held[place]
            self._consumer.resume([TopicPartition(*place)])

    def _store(self, origin: Origin) -> None:
        try:
            self._consumer.store_offsets(offsets=[TopicPartition(origin.topic, origin.partition, origin.offset + 1)])
        except KafkaException as error:
            _log.warning("offset_not_stored", offset=origin.offset, error=str(error), remedy="It is read again.")

    def _dropped(self, _consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        for partition in partitions:
            if self._held.pop((partition.topic, partition.partition), None) is not None:
                self._consumer.resume([partition])  # a pause would outlive the assignment
        _log.info("partitions_dropped", partitions=[partition.partition for partition in partitions])

    def _note_error(self, error: KafkaError) -> None:
        if self._troubles.hear(error):
            _log.warning("kafka_error", error=error.str(), remedy=remedy(error))


def _origin(message: Message) -> Origin:
    headers: Any = message.headers() or []
    return Origin(
        topic=str(message.topic()),
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=[(name, _bytes(value)) for name, value in headers],
    )


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
