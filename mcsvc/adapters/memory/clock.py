"""A clock that moves only when told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import final


@final
class ManualClock:
    """Starts at noon on 2 January 2026, UTC."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._elapsed = timedelta(0)

    def now(self) -> datetime:
        """The present time, UTC."""
        with self._lock:
            return datetime(2026, 1, 2, 12, tzinfo=UTC) + self._elapsed

    def monotonic(self) -> float:
        """Seconds since the start."""
        with self._lock:
            return self._elapsed.total_seconds()

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        with self._lock:
            self._elapsed += by
