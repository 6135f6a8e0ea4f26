"""Waits until a process computes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

import psutil

WITHIN_S: Final = 30.0


def wait_until_busy(pid: int) -> None:
    """Until it has computed for a while."""
    busy_one_of([pid])


def busy_one_of(pids: Iterable[int]) -> int:
    """The first of these that has computed for a while."""
    processes = [psutil.Process(pid) for pid in pids]
    enough = [each.cpu_times().user + 0.3 for each in processes]
    deadline = time.monotonic() + WITHIN_S
    while True:
        for each, wanted in zip(processes, enough, strict=True):
            if each.cpu_times().user >= wanted:
                return each.pid
        assert time.monotonic() < deadline
        time.sleep(0.01)  # a process tells nobody that it computes
