"""Tells open response streams when to end."""

from __future__ import annotations

from threading import Event, Lock
from typing import final

import grpc

from mcsvc.entrypoints.api.problems import ShuttingDown


@final
class StopSignals:
    """Tells each open stream to end: when its caller is gone, or when the server shuts down."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: set[Event] = set()
        self._shutting_down = False

    def until_gone(self, context: grpc.ServicerContext) -> Event:
        """An event that is set once this stream is to end."""
        stop = Event()
        with self._lock:
            self._open.add(stop)
            if self._shutting_down:
                stop.set()
        if not context.add_callback(lambda: self._end(stop)):
            self._end(stop)
        return stop

    def raise_if_stopped(self, stop: Event) -> None:
        """Raises ShuttingDown if that, and not the job's end, was why the stream ended."""
        if stop.is_set() and self._shutting_down:
            raise ShuttingDown("This server is shutting down. Call again: another one answers.")

    def shut_down(self) -> None:
        """End all open streams, and every later one."""
        with self._lock:
            self._shutting_down = True
            for stop in self._open:
                stop.set()

    def _end(self, stop: Event) -> None:
        with self._lock:
            self._open.discard(stop)
        stop.set()
