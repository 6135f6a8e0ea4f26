"""The end of a process that does not end: what is still running is told to the log, then the process is gone.

Everything that matters is in the database by then or is rescued from there, so leaving is safe; staying is not, because
an orchestrator would kill the process without a word.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread

from mcsvc.observability import logs

_log = logs.get_logger("mcsvc")


def leave_after(stop: Event, within: timedelta, *, leave: Callable[[int], object] = os._exit) -> Thread:
    """Once `stop` is set and `within` has passed, log what every thread is doing and exit with 0."""

    def wait() -> None:
        stop.wait()
        Event().wait(within.total_seconds())
        _log.error("shutdown_overran", within_s=within.total_seconds(), threads=_doing())
        logging.shutdown()
        leave(0)

    thread = Thread(target=wait, name="last-resort", daemon=True)
    thread.start()
    return thread


def _doing() -> dict[str, str]:
    """The innermost lines of each thread, by its name."""
    frames = sys._current_frames()  # noqa: SLF001 — the only way to other threads' stacks
    found = {thread.name: frames.get(thread.ident or 0) for thread in threading.enumerate()}
    return {name: " < ".join(_lines(traceback.extract_stack(frame))) for name, frame in found.items() if frame}


def _lines(stack: traceback.StackSummary) -> list[str]:
    return [f"{each.filename.rpartition('/')[2]}:{each.lineno} {each.name}" for each in reversed(stack[-6:])]
