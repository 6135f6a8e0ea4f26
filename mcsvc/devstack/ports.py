"""Loopback ports: finding a free one, and asking whether one answers."""

from __future__ import annotations

import random
import socket

from mcsvc.devstack.errors import StackError

LOOPBACK = "127.0.0.1"
# Below the kernel's range for outgoing connections and above Ray's for workers, so that neither takes a chosen port.
_RANGE = range(20_000, 32_000)


def free_port(preferred: int | None = None) -> int:
    """The preferred port if nothing listens there, else a random free one. Raises StackError if none is found."""
    drawn = random.sample(_RANGE, k=200)
    for port in [preferred, *drawn] if preferred else drawn:
        if _bindable(port):
            return port
    raise StackError("No free loopback port between 20000 and 32000. Stop some of the servers on this machine.")


def answers(port: int, host: str = LOOPBACK, *, timeout_s: float = 1.0) -> bool:
    """True if something accepts a TCP connection there."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
