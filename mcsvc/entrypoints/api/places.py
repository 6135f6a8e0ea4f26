"""Places for calls: so many at once, and no queue. Few of them are for requests that are large."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Final, final

from mcsvc.domain.errors import Retryable
from mcsvc.entrypoints.api.problems import TooManyCalls

LARGE_TRADES: Final = 2500
LARGE_BYTES: Final = 256 * 1024
"""A request with more is large: what is made of it may take ten times its bytes, so one is worked on at a time."""
LARGE_CALLS: Final = 8
"""Large ones at once: one that is worked on, and others that wait."""


@final
class Places:
    """At most so many blocks at once. Safe to share among threads; never waits."""

    def __init__(self, most: int) -> None:
        self._free = BoundedSemaphore(most)

    @contextmanager
    def one(self, *, otherwise: Retryable) -> Iterator[None]:
        """A place for this block. Raises `otherwise` if none is free."""
        if not self._free.acquire(blocking=False):
            raise otherwise
        try:
            yield
        finally:
            self._free.release()


def too_many() -> TooManyCalls:
    """One more is told to come again."""
    return TooManyCalls("As many calls are under way here as there may be. Try again in a moment.")


def too_many_large() -> TooManyCalls:
    """One more large one is told to come again."""
    return TooManyCalls(f"{LARGE_CALLS} calls with long histories are under way here. Try again in a moment.")
