"""The cache in Redis. When Redis is down, reads miss and writes are dropped, and for a while it is not even asked.

The log says once that the cache is down and once that it is back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from threading import Lock
from typing import TypeVar, cast, final

import redis

from mcsvc.observability.logs import get_logger
from mcsvc.ports.clock import Clock
from mcsvc.redis_access import RedisAccess

_T = TypeVar("_T")
_PREFIX = "mcsvc:"
_log = get_logger(__name__)


@final
class RedisCache:
    """See the module. `rest` is how long a cache that failed is left alone."""

    def __init__(
        self,
        clock: Clock,
        access: RedisAccess,
        *,
        timeout: timedelta = timedelta(milliseconds=250),
        rest: timedelta = timedelta(seconds=2),
    ) -> None:
        self._redis = access.client(timeout=timeout)
        self._clock = clock
        self._rest_s = rest.total_seconds()
        self._lock = Lock()
        self._down = False
        self._ask_again_at = 0.0

    def get(self, key: str) -> bytes | None:
        """The value, or None if it is not there or the cache is down."""
        return self._try(lambda: cast("bytes | None", self._redis.get(_PREFIX + key)), otherwise=None)

    def put(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        """Keep a value for a while."""
        self._try(lambda: bool(self._redis.set(_PREFIX + key, value, px=ttl)), otherwise=False)

    def drop(self, key: str) -> None:
        """Forget a value."""
        self._try(lambda: bool(self._redis.delete(_PREFIX + key)), otherwise=False)

    def alive(self) -> bool:
        """True if Redis answers now; asks even while it is being left alone."""
        with self._lock:
            self._ask_again_at = 0.0
        return self._try(lambda: bool(self._redis.ping()), otherwise=False)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _try(self, ask: Callable[[], _T], *, otherwise: _T) -> _T:
        if self._clock.monotonic() < self._ask_again_at:
            return otherwise
        try:
            answer = ask()
        except (redis.RedisError, OSError) as error:
            self._note(down=True, error=error)
            return otherwise
        self._note(down=False)
        return answer

    def _note(self, *, down: bool, error: Exception | None = None) -> None:
        with self._lock:
            changed, self._down = self._down != down, down
            self._ask_again_at = self._clock.monotonic() + self._rest_s if down else 0.0
        if changed and down:
            _log.warning("cache_down", error=str(error), remedy="The service works without it, slower.")
        elif changed:
            _log.info("cache_up")
