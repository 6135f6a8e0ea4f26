"""Waits until a process computes."""

from __future__ import annotations

import time
from typing import Final

import psutil

WITHIN_S: Final = 30.0


def wait_until_busy(pid: int) -> None:
    """Until it has computed for a while."""
    process = psutil.Process(pid)
    enough = process.cpu_times().user + 0.3
    deadline = time.monotonic() + WITHIN_S
    while process.cpu_times().user < enough:
        assert time.monotonic() < deadline
        time.sleep(0.01)  # a process tells nobody that it computes
