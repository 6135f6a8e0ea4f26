"""One process that simulates accounts on one core, from outside, and what it and the one that started it say.

`simulator.helper` is what it runs, `simulator.helpers` the pool of them, docs/adr/0013 the states of one.
"""

from __future__ import annotations

import math
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from simulator import xla
from simulator.many import Answered

LOOKS_S: Final = 0.05
"""The longest that a stop goes unnoticed here."""

ONE_CORE: Final = dict.fromkeys(("MCSIM_THREADS", "NPROC", "PJRT_NPROC", "OMP_NUM_THREADS"), "1")
"""What holds the libraries of a process to one core."""

STARTS_WITHIN_S: Final = 60.0
STOPS_WITHIN_S: Final = 30.0
"""A helper that compiles a kernel stops when that is done."""

STUCK_S: Final = 10
"""The longest that a message takes no step on its way; a helper reads whenever it has nothing else to do."""

ENDS_WITHIN_S: Final = 1.0
"""From its end of the socket closing: long enough to say why it ended."""


class HelperLost(Exception):
    """A helper ended, could not start, or did not stop: what it had is to be simulated again."""


class HelperFailed(Exception):
    """A fault of the engine, with its traceback in the helper. It would come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Accounts to simulate, each a serialised SimulateInput. first: the place of the first one in the call.
    with_fan: with the equity fan of each.
    """

    first: int
    inputs: tuple[bytes, ...]
    with_fan: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What became of the group with this first account; failure: the traceback of a fault of the engine."""

    first: int
    answered: Answered
    failure: str = ""


NOTHING: Final = Answered(responses=(), accounts=0, path_steps=0)
READY: Final = Reply(first=-1, answered=NOTHING)
"""What a helper says at first."""


class HelperProcess:
    """One process, and our end of the socket between us."""

    def __init__(self, compile_cache: str) -> None:
        """It has been started, and is not ready. Raises: OSError."""
        ours, its = socket.socketpair()
        with ours, its:
            for timeout in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
                ours.setsockopt(socket.SOL_SOCKET, timeout, struct.pack("ll", STUCK_S, 0))
            self._process = subprocess.Popen(  # noqa: S603 — our own module
                [sys.executable, "-P", "-m", "simulator.helper", str(its.fileno()), compile_cache],
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                start_new_session=True,  # what is typed at a terminal is for the one that started it
                env=os.environ | ONE_CORE | {"JAX_PLATFORMS": xla.CPU, "PYTHONPATH": _our_modules()},
            )
            self._line: Connection[Group | None, Reply] = Connection(ours.detach())
        self._in_use = threading.RLock()
        self._ready = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def get_ready(self) -> None:
        """Returns once it has started. Raises: HelperLost."""
        with self._lost_if_left():
            self._is_ready(lambda: False)

    def ask(self, group: Group, stop: Callable[[], bool]) -> Reply:
        """What becomes of a group.

        Raises: HelperLost; HelperFailed.
        """
        with self._lost_if_left():
            reply = self._replied(group, stop)
        if reply.failure:
            raise HelperFailed(reply.failure)
        return reply

    @contextmanager
    def _lost_if_left(self) -> Iterator[None]:
        """It is ended by whatever leaves it in the middle of something. Raises: HelperLost."""
        with self._in_use:
            try:
                yield
            except (EOFError, OSError) as gone:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(0 if isinstance(gone, TimeoutError) else ENDS_WITHIN_S)
                self.end()
                raise HelperLost(f"A process that simulates accounts ended with {self._process.returncode}.") from gone
            except BaseException:
                self.end()
                raise

    def end(self) -> None:
        """Whatever it does. Who is asking it finds that it has gone, and then lets go of the socket."""
        self._process.kill()
        self._process.wait()
        with self._in_use:
            self._line.close()

    def _replied(self, group: Group, stop: Callable[[], bool]) -> Reply:
        if not self._is_ready(stop):
            return Reply(first=group.first, answered=NOTHING)
        self._line.send(group)
        stopped = self._await_reply(stop)
        reply = self._line.recv()
        complete = stopped or reply.failure or reply.answered.accounts == len(group.inputs)
        if reply.first != group.first or not complete:
            raise HelperLost("A process that simulates accounts replied to something else than it was asked.")
        return reply

    def _is_ready(self, stop: Callable[[], bool]) -> bool:
        """Once it has started; False if somebody stops this before. Raises: TimeoutError."""
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._ready and not stop():
            if self._line.poll(LOOKS_S):
                self._line.recv()
                self._ready = True
            elif time.monotonic() > deadline:
                raise TimeoutError
        return self._ready

    def _await_reply(self, stop: Callable[[], bool]) -> bool:
        """Tells it to stop, once, when it should; whether it did. Raises: TimeoutError if it does not stop."""
        deadline = math.inf
        while not self._line.poll(LOOKS_S):
            if deadline == math.inf and stop():
                self._line.send(None)
                deadline = time.monotonic() + STOPS_WITHIN_S
            if time.monotonic() > deadline:
                raise TimeoutError
        return deadline < math.inf


def _our_modules() -> str:
    """Where this process finds them, so that a helper runs the same."""
    return os.pathsep.join(str(Path(each or ".").resolve()) for each in sys.path)
