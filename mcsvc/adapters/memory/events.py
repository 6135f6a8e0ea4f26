"""A broker in a list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from threading import Condition
from typing import final

from mcsvc.domain.errors import EventBusUnavailable
from mcsvc.ports.job_store import OutboxEvent


@final
class MemoryPublisher:
    """The `EventPublisher` of unit tests. `up` set to False makes it acknowledge nothing; `refused` lists bad ids."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._sent: list[OutboxEvent] = []
        self.up = True
        self.refused: set[str] = set()

    def publish(self, events: Sequence[OutboxEvent], *, timeout: timedelta) -> list[str]:  # noqa: ARG002 — the port's
        """Keep the events; the ids of those kept."""
        with self._changed:
            taken = [event for event in events if self.up and event.id not in self.refused]
            self._sent.extend(taken)
            self._changed.notify_all()
        return [event.id for event in taken]

    def ping(self) -> None:
        """Raises EventBusUnavailable while it is down."""
        if not self.up:
            raise EventBusUnavailable("The broker in memory is switched off; set `up` to True.")

    def sent(self) -> list[OutboxEvent]:
        """All that was acknowledged, in order."""
        with self._changed:
            return list(self._sent)

    def wait_for(self, count: int, *, timeout: timedelta) -> bool:
        """True once at least `count` events were acknowledged."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._sent) >= count, timeout.total_seconds())
