"""Send the events that are owed: at least once, under a stable id, in order for each key."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from mcsvc.ports.events import EventPublisher
from mcsvc.ports.job_store import JobStore

_log = logging.getLogger("mcsvc.jobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayEvents:
    """An event is marked sent only after the broker's acknowledgement. `hold` must be longer than `timeout`."""

    store: JobStore
    publisher: EventPublisher
    batch: int = 100
    timeout: timedelta = timedelta(seconds=5)
    hold: timedelta = timedelta(seconds=10)

    def __call__(self) -> int:
        """The number of events sent; 0 if none is owed, or none could be sent."""
        events = self.store.claim_unsent(limit=self.batch, hold=self.hold)
        if not events:
            return 0
        sent = self.publisher.publish(events, timeout=self.timeout)
        self.store.mark_sent(sent)
        if len(sent) < len(events):
            _log.warning("events_unsent", extra={"events_sent": len(sent), "events_owed": len(events)})
        return len(sent)
