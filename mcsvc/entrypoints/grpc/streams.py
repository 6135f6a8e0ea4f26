"""Bounds the open response streams, so that they can never take the threads that unary calls and Health need.

A stream holds a thread of the server's pool while it lasts. The pool has room for all streams allowed here and for the
unary calls besides (`server.py`), and a stream too many is refused at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Event, Lock
from typing import final

import grpc

from mcsvc.entrypoints.api.problems import ShuttingDown, TooManyStreams
from mcsvc.entrypoints.grpc.around import Call
from mcsvc.observability.metrics import Metrics


@final
class BoundedStreams:
    """Lets at most so many streams of some methods be open at once."""

    def __init__(self, most: int, metrics: Metrics, *, method_prefix: str) -> None:
        self._free = BoundedSemaphore(most)
        self._most = most
        self._metrics = metrics
        self._prefix = method_prefix

    @contextmanager
    def __call__(self, call: Call) -> Iterator[None]:
        """Around one call. Raises TooManyStreams."""
        if not (call.streamed and call.method.startswith(self._prefix)):
            yield
            return
        if not self._free.acquire(blocking=False):
            raise TooManyStreams(f"{self._most} streams are open here already. Poll instead, or try again later.")
        self._metrics.streams.add(1, {"rpc.method": call.method[1:]})
        try:
            yield
        finally:
            self._metrics.streams.add(-1, {"rpc.method": call.method[1:]})
            self._free.release()


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
