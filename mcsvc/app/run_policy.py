"""How long a run may take, and how long to wait before trying again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from mcsvc.domain.job import backoff


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPolicy:
    """`timeout` bounds one attempt, fetching included.

    `outage_patience` is how old a job may become while what it needs is away: until then that costs it no attempts.
    `store_patience` is for how long a write to a store that is away is repeated, every `store_retry_every`.
    `jitter` yields numbers in [0, 1).
    """

    timeout: timedelta = timedelta(minutes=5)
    backoff_base: timedelta = timedelta(seconds=2)
    backoff_cap: timedelta = timedelta(minutes=1)
    outage_patience: timedelta = timedelta(hours=6)
    progress_every: timedelta = timedelta(seconds=1)
    store_patience: timedelta = timedelta(minutes=1)
    store_retry_every: timedelta = timedelta(milliseconds=500)
    jitter: Callable[[], float] = random.random

    def delay_after(self, attempt: int, *, at_least: timedelta | None = None) -> timedelta:
        """Wait after the failure of this attempt; never less than the other side asked for."""
        wait = backoff(attempt, base=self.backoff_base, cap=self.backoff_cap, jitter=self.jitter())
        return max(wait, at_least or timedelta(0))
