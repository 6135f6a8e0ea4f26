"""How the process goes: by itself at the end of an orderly stop, and all the same when a stop does not end.

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

_TELL_S = 0.5
_log = logs.get_logger("mcsvc")


def leave(code: int) -> None:
    """End the process now, with this exit code.

    Python's own end would first wait, without limit, for the threads of every pool: one that waits for an answer that
    never comes would keep the process.
    """
    _bounded(logging.shutdown)
    os._exit(code)


def leave_after(stop: Event, within: timedelta, *, leave: Callable[[int], object] = os._exit) -> Thread:
    """Once `stop` is set and `within` has passed, log what every thread is doing and exit with 0."""

    def tell() -> None:
        _log.error("shutdown_overran", within_s=within.total_seconds(), threads=_doing())
        logging.shutdown()

    def wait() -> None:
        stop.wait()
        Event().wait(within.total_seconds())
        _bounded(tell)
        leave(0)

    thread = Thread(target=wait, name="last-resort", daemon=True)
    thread.start()
    return thread


def _bounded(last_words: Callable[[], object]) -> None:
    """Nobody may be reading the log: then the write never ends, and whoever logs next waits for its lock."""
    speaking = Thread(target=last_words, name="last-words", daemon=True)
    speaking.start()
    speaking.join(_TELL_S)


def _doing() -> dict[str, str]:
    """The innermost lines of each thread, by its name."""
    frames = sys._current_frames()  # noqa: SLF001 — the only way to other threads' stacks
    found = {thread.name: frames.get(thread.ident or 0) for thread in threading.enumerate()}
    return {name: " < ".join(_lines(traceback.extract_stack(frame))) for name, frame in found.items() if frame}


def _lines(stack: traceback.StackSummary) -> list[str]:
    return [f"{each.filename.rpartition('/')[2]}:{each.lineno} {each.name}" for each in reversed(stack[-6:])]
