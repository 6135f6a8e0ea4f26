"""The terms this process holds: renewed together, and the runs of those that are over told to halt."""

from __future__ import annotations

import logging
from datetime import timedelta
from threading import Event, Lock
from typing import final

from mcsvc.domain.job import Term
from mcsvc.ports.job_store import JobStore

_log = logging.getLogger("mcsvc.jobs")


@final
class LeaseKeeper:
    """Give it a store with a connection that nothing else uses: then no crowd can keep it from renewing."""

    def __init__(self, store: JobStore, *, lease: timedelta) -> None:
        self._store = store
        self._lease = lease
        self._lock = Lock()
        self._halts: dict[Term, Event] = {}

    def hold(self, term: Term) -> Event:
        """Renew this term from now on. The event is set when its run must halt."""
        with self._lock:
            return self._halts.setdefault(term, Event())

    def release(self, term: Term) -> None:
        """The run is over, whatever became of it."""
        with self._lock:
            self._halts.pop(term, None)

    def halt_all(self) -> None:
        """Every run must halt."""
        with self._lock:
            for halt in self._halts.values():
                halt.set()

    def run_once(self) -> bool:
        """Renew all terms in one statement; halt the runs of those that are over. Raises StoreUnavailable."""
        with self._lock:
            terms = list(self._halts)
        if terms:
            held = self._store.renew(terms, lease=self._lease)
            for term in terms:
                if term not in held:
                    self._halt(term)
        return False

    def _halt(self, term: Term) -> None:
        with self._lock:
            halt = self._halts.get(term)
        if halt is not None and not halt.is_set():
            _log.info("job_term_over", extra={"job_id": str(term.job_id), "attempt": term.attempt})
            halt.set()
