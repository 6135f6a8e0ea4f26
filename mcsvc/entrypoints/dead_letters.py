"""The dead-letter topic: messages that can never be processed, unchanged, with the reason and origin in headers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from mcsvc.entrypoints.assessment_events import PoisonMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A message and where it came from."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class RawSender(Protocol):
    """Sends one message as it is and waits for the broker's word."""

    def send(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, str | bytes | None]],
        timeout: timedelta,
    ) -> None:
        """Raises EventBusUnavailable unless the broker acknowledges in time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """See the module."""

    sender: RawSender
    topic: str
    timeout: timedelta = timedelta(seconds=10)

    def put(self, origin: Origin, poison: PoisonMessage) -> None:
        """Raises EventBusUnavailable: the message must then be kept and tried again."""
        headers: list[tuple[str, str | bytes | None]] = [
            *origin.headers,
            ("dlq_reason", poison.reason),
            ("dlq_detail", str(poison)[:1_000]),
            ("dlq_topic", origin.topic),
            ("dlq_partition", str(origin.partition)),
            ("dlq_offset", str(origin.offset)),
        ]
        self.sender.send(self.topic, key=origin.key, value=origin.value, headers=headers, timeout=self.timeout)
