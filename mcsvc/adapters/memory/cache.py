"""A cache in a dictionary."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock
from typing import final

from mcsvc.ports.clock import Clock


@final
class MemoryCache:
    """The `Cache` of unit tests. `up` set to False makes it behave as a cache that is down."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._values: dict[str, tuple[bytes, datetime]] = {}
        self.up = True

    def get(self, key: str) -> bytes | None:
        """The value, unless it expired or the cache is down."""
        with self._lock:
            value, expires = self._values.get(key, (b"", self._clock.now()))
            return value if self.up and expires > self._clock.now() else None

    def put(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        """Keep a value for a while."""
        with self._lock:
            if self.up:
                self._values[key] = (value, self._clock.now() + ttl)

    def drop(self, key: str) -> None:
        """Forget a value."""
        with self._lock:
            if self.up:
                self._values.pop(key, None)

    def alive(self) -> bool:
        """True unless it is down."""
        return self.up
