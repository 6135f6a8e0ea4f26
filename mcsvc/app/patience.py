"""Patience with a store that is away for a moment."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import TypeVar

from mcsvc.app.run_policy import RunPolicy
from mcsvc.domain.errors import StoreUnavailable
from mcsvc.ports.clock import Clock

T = TypeVar("T")


def patiently(ask: Callable[[], T], *, clock: Clock, policy: RunPolicy, halt: Event) -> T:
    """Ask the store, again and again while it is away, until patience ends or `halt` is set (then once more).

    Raises StoreUnavailable after that. Only for what may be asked twice: reads, and writes fenced by a term.
    """
    give_up_at = clock.monotonic() + policy.store_patience.total_seconds()
    halted = False
    while True:
        try:
            return ask()
        except StoreUnavailable:
            if halted or clock.monotonic() >= give_up_at:
                raise
            halted = halt.wait(policy.store_retry_every.total_seconds())
