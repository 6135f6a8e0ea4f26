"""A process that simulates accounts for the one that started it, on one core: `simulator.helper_process` starts it.

Its arguments are the number of its end of a socket, and the folder of compiled kernels or "". It says that it is ready,
then replies to each group that it is sent, until the socket closes. Whatever else comes is a wish to stop.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from simulator import compile_cache, compiled, many, native
from simulator.helper_process import NOTHING, READY, Group, Reply

KERNELS: Final = 32
"""Fewer than a worker holds: there are as many helpers as cores, and a night's accounts have few kinds of rules."""


def main() -> None:
    """Until the socket closes, on the side of who started it or because that process is gone."""
    number, cache = sys.argv[1:]
    if cache:
        with suppress(OSError):  # without the folder it compiles for itself
            compile_cache.keep_in(Path(cache))
    compiled.hold_at_most(KERNELS)
    native.wait_for_every_call()
    with Connection(int(number)) as line, suppress(EOFError, ConnectionError):
        line.send(READY)
        for group in _groups(line):
            line.send(reply(group, stop=line.poll))


def reply(group: Group, stop: Callable[[], bool]) -> Reply:
    """What becomes of the accounts of a group, or of this attempt."""
    try:
        answered = many.answered(group.inputs, first=group.first, with_fan=group.with_fan, threads=0, stop=stop)
    except Exception:  # noqa: BLE001 — whatever it is, it is told to who asked
        return Reply(first=group.first, answered=NOTHING, failure=traceback.format_exc())
    return Reply(first=group.first, answered=answered)


def _groups(line: Connection[Reply, Group | None]) -> Iterator[Group]:
    """Each that comes. A wish to stop that comes between them comes too late, for what was meant is done."""
    while True:
        group = line.recv()
        if group is not None:
            yield group


if __name__ == "__main__":
    main()
