"""The cache: never the truth. With it gone everything works, slower."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol


class Cache(Protocol):
    """See the module. No method raises for a cache that is down: reads miss, writes are dropped."""

    def get(self, key: str) -> bytes | None:
        """The value, or None if it is not there, has expired, or the cache is down."""
        ...

    def put(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        """Keep a value for a while."""
        ...

    def drop(self, key: str) -> None:
        """Forget a value."""
        ...

    def alive(self) -> bool:
        """True if the cache answers."""
        ...
