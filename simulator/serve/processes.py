"""Makes sure that what a process started has ended: Ray's processes outlive the one that stops them for a while."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


@contextmanager
def ended(*, below: int, within: timedelta) -> Iterator[None]:
    """After the body, waits until all that was below the process has ended; kills what is left by then."""
    handles = [handle for pid in descendants(below) if (handle := _handle(pid)) is not None]
    try:
        yield
    finally:
        for handle in _outliving(handles, within):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        for handle in handles:
            os.close(handle)


def descendants(pid: int) -> set[int]:
    """All processes below this one."""
    parents = dict(_parents())
    found, before = {pid}, 0
    while len(found) > before:
        before = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found - {pid}


def _parents() -> Iterator[tuple[int, int]]:
    """Each process and its parent."""
    for entry in _PROC.glob("[0-9]*/stat"):
        with suppress(OSError):
            after_name = entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
            yield int(entry.parent.name), int(after_name.split()[1])


def _handle(pid: int) -> int | None:
    """A handle that stays this process's, even when its number is given to another."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _outliving(handles: list[int], within: timedelta) -> set[int]:
    poll, left = select.poll(), set(handles)
    for handle in handles:
        poll.register(handle, select.POLLIN)
    deadline = time.monotonic() + within.total_seconds()
    while left and (wait_s := deadline - time.monotonic()) > 0:
        for handle, _ in poll.poll(wait_s * 1000):
            poll.unregister(handle)
            left.discard(handle)
    return left
