"""The event bus, as the outbox relay sees it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from mcsvc.ports.job_store import OutboxEvent


class EventPublisher(Protocol):
    """See the module."""

    def publish(self, events: Sequence[OutboxEvent], *, timeout: timedelta) -> list[str]:
        """Send, blocking; the ids the broker has acknowledged, in any order. Never raises for a broker's fault."""
        ...

    def ping(self) -> None:
        """Raises EventBusUnavailable unless a broker answers."""
        ...
