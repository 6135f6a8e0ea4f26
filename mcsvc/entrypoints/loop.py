"""A loop on a thread of its own: calls one function again and again until told to stop, and never dies of it."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread
from typing import final

from mcsvc.domain.errors import Retryable

_log = logging.getLogger("mcsvc.loops")


@final
class Loop:
    """`run_once` returns True for more to do at once; else the next call is about `every` later, or on `wake`."""

    def __init__(
        self, name: str, run_once: Callable[[], bool], *, every: timedelta, jitter: Callable[[], float] = random.random
    ) -> None:
        self._name = name
        self._run_once = run_once
        self._every_s = every.total_seconds()
        self._jitter = jitter
        self._stopping = Event()
        self._woken = Event()
        self._thread = Thread(target=self.run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Do not wait for the next turn."""
        self._woken.set()

    def ask_to_stop(self) -> None:
        """Take no further turn; returns at once."""
        self._stopping.set()
        self._woken.set()

    def stop(self, *, within: timedelta) -> bool:
        """Take no further turn. True if the turn under way ended in time."""
        self.ask_to_stop()
        if self._thread.ident is not None:
            self._thread.join(within.total_seconds())
        return not self._thread.is_alive()

    def alive(self) -> bool:
        """True while it runs."""
        return self._thread.is_alive()

    def run(self) -> None:
        """Turn after turn until stopped; a tenth of jitter keeps replicas out of step."""
        while not self._stopping.is_set():
            self._woken.clear()
            if not self._turn():
                self._wait()

    def _wait(self) -> None:
        if not self._stopping.is_set():
            self._woken.wait(self._every_s * (0.9 + 0.2 * self._jitter()))

    def _turn(self) -> bool:
        try:
            return self._run_once()
        except Retryable as error:
            _log.warning("loop_waits", extra={"loop": self._name, "reason": str(error)})
        except Exception:  # noqa: BLE001 — a bug in one turn must not end the loop
            _log.exception("loop_turn_broke", extra={"loop": self._name})
        return False
