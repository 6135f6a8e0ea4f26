"""Work on a thread of its own that the end of the process does not wait for, as it may block for ever."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def begin(work: Callable[[], T], *, name: str) -> Future[T]:
    """Begin this; the future has what it returns or raises."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 — handed to whoever asks the future, whatever it is
            done.set_exception(error)

    Thread(target=run, name=name, daemon=True).start()
    return done
