"""Bounds the calls under way, so that no kind of them can ever take the threads that other kinds and Health need.

A call holds a thread of the server's pool while it lasts. The pool has room for all that is allowed (`server.py`), and
a call too many is refused at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

from mcsvc.entrypoints.api.places import Places, too_many
from mcsvc.entrypoints.api.problems import TooManyStreams
from mcsvc.entrypoints.grpc.around import Call
from mcsvc.observability.metrics import Metrics
from riskio.numbers import counted


@final
class BoundedStreams:
    """Lets at most so many streams of some methods be open at once."""

    def __init__(self, most: int, metrics: Metrics, *, method_prefix: str) -> None:
        self._places = Places(most)
        self._most = most
        self._metrics = metrics
        self._prefix = method_prefix

    @contextmanager
    def __call__(self, call: Call) -> Iterator[None]:
        """Around one call. Raises TooManyStreams."""
        if not (call.streamed and call.method.startswith(self._prefix)):
            yield
            return
        are_open = counted(self._most, "stream is open", "streams are open")
        full = TooManyStreams(f"{are_open} here already. Poll instead, or try again later.")
        with self._places.one(otherwise=full):
            self._metrics.streams.add(1, {"rpc.method": call.method[1:]})
            try:
                yield
            finally:
                self._metrics.streams.add(-1, {"rpc.method": call.method[1:]})


@final
class BoundedCalls:
    """Lets at most so many unary calls be under way at once."""

    def __init__(self, most: int) -> None:
        self._places = Places(most)

    @contextmanager
    def __call__(self, call: Call) -> Iterator[None]:
        """Around one call. Raises TooManyCalls."""
        if call.streamed:
            yield
            return
        with self._places.one(otherwise=too_many()):
            yield
