"""The outbox of the job store in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import final

from mcsvc.ports.job_store import OutboxEvent


@final
class MemoryOutbox:
    """Events in the order they were added; not locked by itself."""

    def __init__(self) -> None:
        self._events: dict[str, OutboxEvent] = {}
        self._sent: dict[str, datetime] = {}
        self._held_until: dict[str, datetime] = {}

    def add(self, event: OutboxEvent) -> None:
        """Owe an event. Its id must be new."""
        if event.id in self._events:
            raise ValueError(f"Event {event.id} is owed already; one job must finish only once.")
        self._events[event.id] = event

    def unsent(self, *, limit: int) -> list[OutboxEvent]:
        """Those not marked sent, oldest first."""
        return [event for event in self._events.values() if event.id not in self._sent][:limit]

    def claim(self, *, limit: int, now: datetime, hold: timedelta, except_topics: Collection[str]) -> list[OutboxEvent]:
        """The oldest unsent event of each key, unless held or of these topics, now held."""
        oldest: dict[str, OutboxEvent] = {}
        for event in self.unsent(limit=len(self._events)):
            oldest.setdefault(event.key, event)
        wanted = [event for event in oldest.values() if event.topic not in except_topics]
        free = [event for event in wanted if self._held_until.get(event.id, now) <= now][:limit]
        self._held_until.update({event.id: now + hold for event in free})
        return free

    def mark_sent(self, event_ids: Sequence[str], *, now: datetime) -> None:
        """These are with the broker."""
        self._sent = {**dict.fromkeys(event_ids, now), **self._sent}

    def forget_sent(self, *, before: datetime, limit: int) -> int:
        """Drop those sent by then; how many."""
        old = [event_id for event_id, sent in self._sent.items() if sent <= before][:limit]
        for event_id in old:
            del self._sent[event_id], self._events[event_id]
        return len(old)
