"""The dead-letter topic: messages that can never be processed, with the reason and origin in headers.

A message is kept unchanged if the topic takes one of its size. Else its letter holds the beginning of it, with the size
and digest of the whole value; the message itself stays at its origin for as long as that topic keeps it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from mcsvc.domain.errors import EventBusUnavailable, MessageTooLarge
from mcsvc.entrypoints.assessment_events import PoisonMessage

_Header = tuple[str, str | bytes | None]
_CUTS = (64 * 1024, 1024, 0)
"""Bytes left of the value, of the key, and of the headers together, tried in turn."""


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
        headers: Sequence[_Header],
        timeout: timedelta,
    ) -> None:
        """Raises MessageTooLarge, and EventBusUnavailable unless the broker acknowledges in time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """See the module."""

    sender: RawSender
    topic: str
    timeout: timedelta = timedelta(seconds=10)

    def put(self, origin: Origin, poison: PoisonMessage) -> None:
        """Raises EventBusUnavailable: the message must then be kept and tried again."""
        why = _why(origin, poison)
        for each, more in _letters(origin):
            try:
                self._send(each, [*each.headers, *why, *more])
            except MessageTooLarge:
                continue
            return
        raise EventBusUnavailable(f"{self.topic} takes not even an empty letter: raise its max.message.bytes.")

    def _send(self, letter: Origin, headers: Sequence[_Header]) -> None:
        self.sender.send(self.topic, key=letter.key, value=letter.value, headers=headers, timeout=self.timeout)


def _why(origin: Origin, poison: PoisonMessage) -> list[_Header]:
    return [
        ("dlq_reason", poison.reason),
        ("dlq_detail", str(poison)[:1_000].encode(errors="backslashreplace")),  # it may quote half a surrogate pair
        ("dlq_topic", origin.topic),
        ("dlq_partition", str(origin.partition)),
        ("dlq_offset", str(origin.offset)),
    ]


def _letters(origin: Origin) -> Iterator[tuple[Origin, list[_Header]]]:
    """The message whole, then ever more of it cut off, with headers that tell of what it was."""
    yield origin, []
    value = origin.value or b""
    size: list[_Header] = [("dlq_size", str(len(value))), ("dlq_sha256", hashlib.sha256(value).hexdigest())]
    for left in _CUTS:
        cut = replace(origin, key=origin.key and origin.key[:left], value=value[:left], headers=_first(origin, left))
        yield cut, size


def _first(origin: Origin, size: int) -> list[tuple[str, bytes | None]]:
    """As many of the first headers as have this many bytes in all."""
    kept: list[tuple[str, bytes | None]] = []
    for name, value in origin.headers:
        size -= len(name.encode()) + len(value or b"")
        if size < 0:
            break
        kept.append((name, value))
    return kept
