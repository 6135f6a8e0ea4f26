"""Send the events that are owed: at least once, under a stable id, in order for each key."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta

from mcsvc.ports.events import EventPublisher
from mcsvc.ports.job_store import JobStore

_log = logging.getLogger("mcsvc.jobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayEvents:
    """An event is marked sent only after the broker's acknowledgement. `hold` must be longer than `timeout`.

    A topic that takes no event of a batch is left alone for `hold`: what is owed to it keeps no other topic waiting.
    """

    store: JobStore
    publisher: EventPublisher
    batch: int = 100
    timeout: timedelta = timedelta(seconds=5)
    hold: timedelta = timedelta(seconds=10)
    monotonic: Callable[[], float] = time.monotonic
    _shut_until: dict[str, float] = field(default_factory=dict, init=False)

    def __call__(self) -> int:
        """The number of events sent; 0 if none is owed, or none could be sent."""
        events = self.store.claim_unsent(limit=self.batch, hold=self.hold, except_topics=self._shut())
        if not events:
            return 0
        sent = set(self.publisher.publish(events, timeout=self.timeout))
        self.store.mark_sent(sorted(sent))
        if len(sent) < len(events):
            _log.warning("events_unsent", extra={"events_sent": len(sent), "events_owed": len(events)})
        shut = {each.topic for each in events} - {each.topic for each in events if each.id in sent}
        self._shut_until.update(dict.fromkeys(shut, self.monotonic() + self.hold.total_seconds()))
        return len(sent)

    def _shut(self) -> Collection[str]:
        now = self.monotonic()
        return [topic for topic, until in self._shut_until.items() if now < until]
