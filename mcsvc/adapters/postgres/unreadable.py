"""Says now and then that jobs wait for a newer version of the service: this one does not touch them."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import final

from mcsvc.adapters.postgres import rows
from mcsvc.adapters.postgres.queries import query
from mcsvc.adapters.postgres.session import Session

_log = logging.getLogger("mcsvc.jobs")


@final
@dataclass(slots=True, kw_only=True)
class UnreadableJobs:
    """See the module. Looks at most every `every`, as it reads all unfinished jobs."""

    every: timedelta = timedelta(minutes=1)
    _due: float = field(default=float("-inf"), init=False)

    def tell_now_and_then(self, session: Session) -> None:
        """Log how many there are, if there are any and it is time. Raises StoreUnavailable."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self.every.total_seconds()
        [found] = session.ask(query("unreadable_jobs"), rows.KNOWN)
        if found["jobs"]:
            remedy = "They are of a newer version of the service: upgrade again to finish them."
            _log.warning("jobs_unreadable", extra={"jobs": found["jobs"], "job_id": found["example"], "remedy": remedy})
