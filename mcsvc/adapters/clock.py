"""The machine's own clocks."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import final


@final
class SystemClock:
    """The `Clock` of a running service."""

    def now(self) -> datetime:
        """The present time, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back."""
        return time.monotonic()
