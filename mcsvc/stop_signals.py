"""SIGTERM and SIGINT, heard whichever thread the kernel gives them to.

Python runs a handler on the main thread and only while that thread runs Python; a main thread that waits for a lock is
woken by a signal of its own, but not by one that another thread took. And another thread does take it: a thread that
starts a thread blocks all signals meanwhile, and when it unblocks them it is given what has come in for the process.
The service starts threads many times a second, so now and then it would sleep on, never told to stop. What tells it
is therefore the wakeup descriptor: it is written at once, by the thread that took the signal.
"""

from __future__ import annotations

import signal
import socket
from threading import Event, Thread

NUMBERS = (signal.SIGTERM, signal.SIGINT)


def set_on_signal(stop: Event) -> None:
    """From now on SIGTERM and SIGINT set `stop`. For the main thread, once in a process."""
    ours, pythons = socket.socketpair()
    pythons.settimeout(0)  # as a signal must never wait
    signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
    for number in NUMBERS:
        signal.signal(number, lambda *_: None)  # without a handler of Python's nothing would be written
    Thread(target=_listen, args=(ours, pythons, stop), name="signals", daemon=True).start()


def _listen(ours: socket.socket, _kept_open: socket.socket, stop: Event) -> None:
    while ours.recv(64):
        stop.set()
