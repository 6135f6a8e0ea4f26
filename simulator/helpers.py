"""Processes that simulate accounts, one for each core: Python does one thing at a time, and is half of a small account.

Inputs go in and answers come out as bytes, which are not read here. See docs/adr/0013 for the states of a helper.
"""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

from simulator import xla
from simulator.many import Answered, joined

MOST_ACCOUNTS: Final = 8
"""Of a group, which is what a helper is given at a time: enough that the way there and back takes little."""

LOOKS_S: Final = 0.05
"""The longest that a stop goes unnoticed here."""

ONE_CORE: Final = dict.fromkeys(("MCSIM_THREADS", "NPROC", "PJRT_NPROC", "OMP_NUM_THREADS"), "1")
"""What holds the libraries of a process to one core."""

STARTS_WITHIN_S: Final = 60.0
STOPS_WITHIN_S: Final = 10.0


class HelperLost(Exception):
    """A helper ended, could not start, or did not stop: what it had is to be simulated again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Accounts to simulate, each a serialised SimulateInput. first: the place of the first one in the call."""

    first: int
    inputs: tuple[bytes, ...]


NOTHING: Final = Answered(responses=(), path_steps=0)


class Helpers:
    """So many processes, started when there is first something for them to do. One call at a time."""

    def __init__(self, count: int, *, compile_cache: str = "") -> None:
        """`compile_cache`: the folder where compiled kernels are kept, or "" for none."""
        self._count = count
        self._cache = compile_cache
        self._helpers: list[_Helper] = []

    def __enter__(self) -> Helpers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """Of those that live."""
        return [helper.pid for helper in self._helpers if helper.lives]

    def are_for(self, accounts: int) -> bool:
        """Whether they would be faster with so many accounts than one process: each has enough to do."""
        return self._count > 1 and accounts >= 2 * self._count

    def simulate(
        self, inputs: Sequence[bytes], *, first: int = 0, stop: Callable[[], bool] = lambda: False
    ) -> Answered:
        """What becomes of these accounts; of as many as are done when `stop` says so.

        Raises: HelperLost.
        """
        self._replace_the_lost()
        groups = _Groups(inputs, first, self._count)
        with ThreadPoolExecutor(len(self._helpers), thread_name_prefix="helpers") as pool:
            tasks = [pool.submit(_keep_busy, helper, groups, stop) for helper in self._helpers]
        answered = sorted((pair for task in tasks for pair in task.result()), key=lambda pair: pair[0])
        return Answered(
            responses=tuple(joined(response for _, each in answered for response in each.responses)),
            path_steps=sum(each.path_steps for _, each in answered),
        )

    def close(self) -> None:
        """Ends them, whatever they do."""
        for helper in self._helpers:
            helper.end()
        self._helpers = []

    def _replace_the_lost(self) -> None:
        """With others, which start; at first all are lost, so to say."""
        for helper in [each for each in self._helpers if not each.lives]:
            helper.end()
            self._helpers.remove(helper)
        self._helpers += [_Helper(self._cache) for _ in range(self._count - len(self._helpers))]


class _Groups:
    """The accounts of a call, handed out in groups, smaller towards the end, so that the helpers finish together."""

    def __init__(self, inputs: Sequence[bytes], first: int, helpers: int) -> None:
        self._inputs = inputs
        self._first = first
        self._helpers = helpers
        self._taken = 0
        self._lock = threading.Lock()
        self.dropped = False

    def take(self) -> Group | None:
        with self._lock:
            begin, left = self._taken, len(self._inputs) - self._taken
            if not left:
                return None
            self._taken += max(1, min(MOST_ACCOUNTS, left // (2 * self._helpers)))
            return Group(first=self._first + begin, inputs=tuple(self._inputs[begin : self._taken]))


def _keep_busy(helper: _Helper, groups: _Groups, stop: Callable[[], bool]) -> list[tuple[int, Answered]]:
    """What a helper makes of the groups that it gets round to, each with its first account. Raises: HelperLost."""

    def stopped() -> bool:
        return groups.dropped or stop()

    found = []
    while not stopped() and (group := groups.take()) is not None:
        try:
            found.append((group.first, helper.ask(group, stopped)))
        except HelperLost:
            groups.dropped = True
            raise
    return found


class _Helper:
    """One process, and our end of the socket between us."""

    def __init__(self, compile_cache: str) -> None:
        """It has been started, and is not ready."""
        ours, its = socket.socketpair()
        with its:
            self._process = subprocess.Popen(  # noqa: S603 — our own module
                [sys.executable, "-P", "-m", "simulator.helper", str(its.fileno()), compile_cache],
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                env=os.environ | ONE_CORE | {"JAX_PLATFORMS": xla.CPU},
            )
        self._line: Connection[Group | None, Answered] = Connection(ours.detach())
        self._ready = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def ask(self, group: Group, stop: Callable[[], bool]) -> Answered:
        """What becomes of a group. Raises: HelperLost."""
        try:
            if not self._is_ready(stop):
                return NOTHING
            self._line.send(group)
            self._await_answer(stop)
            return self._line.recv()
        except (EOFError, OSError) as gone:
            self.end()
            raise HelperLost(f"A process that simulates accounts ended with {self._process.returncode}.") from gone

    def end(self) -> None:
        """Whatever it does."""
        self._line.close()
        self._process.kill()
        self._process.wait()

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

    def _await_answer(self, stop: Callable[[], bool]) -> None:
        """Tells it to stop, once, when it should. Raises: TimeoutError if it does not."""
        deadline = math.inf
        while not self._line.poll(LOOKS_S):
            if deadline == math.inf and stop():
                self._line.send(None)
                deadline = time.monotonic() + STOPS_WITHIN_S
            if time.monotonic() > deadline:
                raise TimeoutError
