"""The cache of a service that was given none: every read misses."""

from __future__ import annotations

from datetime import timedelta
from typing import final


@final
class NoCache:
    """See the module."""

    def get(self, key: str) -> bytes | None:  # noqa: ARG002 — the port's
        """Never there."""
        return None

    def put(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        """Dropped."""

    def drop(self, key: str) -> None:
        """Nothing to forget."""

    def alive(self) -> bool:
        """False: there is none."""
        return False
