"""What an end in time is made of: a countdown that all its steps share, and steps that are left behind when it is over.

A step may block for ever, in a library's call that knows no timeout or on a peer that says nothing. So each runs on a
daemon thread, and nobody waits for it longer than the time that is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import wait
from datetime import timedelta
from threading import Event, Lock, Thread
from typing import final

from mcsvc.background import begin
from mcsvc.observability.logs import get_logger

_log = get_logger(__name__)
_LOOK_S = 0.05


@final
class Countdown:
    """Time that runs out. Before the start all of it is left."""

    def __init__(self, whole: timedelta, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.whole = whole
        self._monotonic = monotonic
        self._lock = Lock()
        self._started_at: float | None = None

    def start(self) -> Countdown:
        """Begin to run out; a second start changes nothing."""
        with self._lock:
            if self._started_at is None:
                self._started_at = self._monotonic()
        return self

    def left(self, *, until: float = 1.0) -> timedelta:
        """The time until this share of the whole is spent; zero after that."""
        spent_s = 0.0 if self._started_at is None else self._monotonic() - self._started_at
        return max(self.whole * until - timedelta(seconds=spent_s), timedelta(0))


def together(steps: Mapping[str, Callable[[], object]], *, within: timedelta) -> bool:
    """All steps at the same time. True if all have ended in time; those that have not are logged and left behind."""
    countdown = Countdown(within).start()
    running = {
        name: Thread(target=_guarded, args=(name, step), name=f"stop-{name}", daemon=True)
        for name, step in steps.items()
    }
    for thread in running.values():
        thread.start()
    for thread in running.values():
        thread.join(countdown.left().total_seconds())
    late = [name for name, thread in running.items() if thread.is_alive()]
    if late:
        _log.warning("stop_steps_left_behind", steps=late, within_s=within.total_seconds())
    return not late


def unless(stop: Event, step: Callable[[], object]) -> bool:
    """True once the step is done; False, leaving it behind, if `stop` is set before. Raises what the step raises."""
    done = begin(step, name="start")
    while not stop.is_set():
        if wait([done], timeout=_LOOK_S).done:
            done.result()
            return True
    return False


def _guarded(name: str, step: Callable[[], object]) -> None:
    try:
        step()
    except Exception:  # noqa: BLE001 — one step that breaks must not keep the others from their end
        _log.exception("stop_step_broke", step=name)
