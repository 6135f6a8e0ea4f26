"""How a long computation in Python ends when nobody wants any more what it is for.

Those who begin it say whom to ask, and it asks now and then: between them lie functions that keep what they found, and
are asked for it by what it depends on alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_unwanted: Final[ContextVar[Callable[[], bool]]] = ContextVar("unwanted", default=lambda: False)


@contextmanager
def once(unwanted: Callable[[], bool]) -> Iterator[None]:
    """What this thread computes meanwhile ends with a CancelledError once it is `unwanted`, asked by this thread."""
    before = _unwanted.set(unwanted)
    try:
        yield
    finally:
        _unwanted.reset(before)


def end_if_unwanted() -> None:
    """To be called about every tenth of a second. Raises: CancelledError."""
    if _unwanted.get()():
        raise CancelledError
