"""Processes that simulate accounts, one for each core: Python does one thing at a time, and is half of a small account.

Inputs go in and answers come out as bytes, which are not read here. See docs/adr/0013 for the states of a helper.
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
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
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
STOPS_WITHIN_S: Final = 30.0
"""A helper that compiles a kernel stops when that is done."""

STUCK_S: Final = 10
"""The longest that a message takes no step on its way; a helper reads whenever it has nothing else to do."""

ENDS_WITHIN_S: Final = 1.0
"""From its end of the socket closing: long enough to say why it ended."""


class HelperLost(Exception):
    """A helper ended, could not start, or did not stop: what it had is to be simulated again."""


class _Stopped(Exception):
    """Somebody said so while a helper was waited for."""


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


class Helpers:
    """So many processes, each started when there is first something for it to do. Calls share them, group by group."""

    def __init__(self, count: int, *, compile_cache: str = "") -> None:
        """`compile_cache`: the folder where compiled kernels are kept, or "" for none."""
        self._count = count
        self._cache = compile_cache
        self._helpers: list[_Helper] = []
        self._free: list[_Helper] = []
        self._turns = deque[object]()
        self._changed = threading.Condition()
        self._closed = False

    def __enter__(self) -> Helpers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """Of those that live."""
        return [helper.pid for helper in self._helpers if helper.lives]

    def are_for(self, accounts: int) -> bool:
        """Whether they would be faster with so many accounts than one process: each has something to do."""
        return self._count > 1 and accounts >= self._count

    def start(self) -> None:
        """Has all of them ready, so that no call need wait for that. Raises: HelperLost."""
        with ExitStack() as all_of_them:
            for helper in [all_of_them.enter_context(self._borrowed()) for _ in range(self._count)]:
                helper.get_ready()

    def simulate(
        self,
        inputs: Sequence[bytes],
        *,
        first: int = 0,
        with_fan: bool = False,
        stop: Callable[[], bool] = lambda: False,
    ) -> Answered:
        """What becomes of these accounts, in their order; of as many as are done when `stop` says so.

        A single one is simulated by whichever helper is free, while others do other calls'. Waits for one if none is.

        Raises: HelperLost; HelperFailed.
        """
        groups = _Groups(inputs, first, self._count, with_fan=with_fan)
        at_once = min(self._count, len(inputs))
        if at_once <= 1:
            replies = self._keep_busy(groups, stop)
        else:
            with ThreadPoolExecutor(at_once, thread_name_prefix="helpers") as pool:
                tasks = [pool.submit(self._keep_busy, groups, stop) for _ in range(at_once)]
            replies = sorted((reply for task in tasks for reply in task.result()), key=lambda reply: reply.first)
        return Answered(
            responses=tuple(joined(response for reply in replies for response in reply.answered.responses)),
            accounts=sum(reply.answered.accounts for reply in replies),
            path_steps=sum(reply.answered.path_steps for reply in replies),
        )

    def close(self) -> None:
        """Ends them, whatever they do, for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for helper in list(self._helpers):
            helper.end()

    def _keep_busy(self, groups: _Groups, stop: Callable[[], bool]) -> list[Reply]:
        """What helpers make of the groups that this gets round to. Whatever goes wrong stops the rest of the call too.

        Raises: HelperLost; HelperFailed.
        """

        def stopped() -> bool:
            return groups.dropped or stop()

        found = []
        try:
            while not stopped() and (group := groups.take()) is not None:
                with suppress(_Stopped), self._borrowed(stopped) as helper:
                    found.append(helper.ask(group, stopped))
        except BaseException:
            groups.dropped = True
            raise
        return found

    @contextmanager
    def _borrowed(self, stop: Callable[[], bool] = lambda: False) -> Iterator[_Helper]:
        """One that nobody else has meanwhile. Raises: HelperLost; _Stopped."""
        helper = self._free_or_another(stop)
        try:
            yield helper
        finally:
            with self._changed:
                if helper.lives:
                    self._free.append(helper)
                else:
                    self._helpers.remove(helper)
                self._changed.notify_all()

    def _free_or_another(self, stop: Callable[[], bool]) -> _Helper:
        """Those who wait have their turns in the order they came in: who has just given one back, behind the others."""
        turn = object()
        with self._changed:
            self._turns.append(turn)
            try:
                while not stop():
                    if self._closed:
                        raise HelperLost("The processes that simulate accounts have been closed.")
                    if self._turns[0] is turn and (helper := self._available()) is not None:
                        return helper
                    self._changed.wait(LOOKS_S)
            finally:
                self._turns.remove(turn)
                self._changed.notify_all()
        raise _Stopped

    def _available(self) -> _Helper | None:
        """That which became free last, or one more, as long as there are too few."""
        while self._free:
            helper = self._free.pop()
            if helper.lives:
                return helper
            helper.end()
            self._helpers.remove(helper)
        return self._another() if len(self._helpers) < self._count else None

    def _another(self) -> _Helper:
        try:
            helper = _Helper(self._cache)
        except OSError as why:
            raise HelperLost(f"A process that simulates accounts cannot be started: {why}.") from why
        self._helpers.append(helper)
        return helper


class _Groups:
    """The accounts of a call, handed out in groups, smaller towards the end, so that the helpers finish together."""

    def __init__(self, inputs: Sequence[bytes], first: int, helpers: int, *, with_fan: bool = False) -> None:
        self._inputs = inputs
        self._with_fan = with_fan
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
            inputs = tuple(self._inputs[begin : self._taken])
            return Group(first=self._first + begin, inputs=inputs, with_fan=self._with_fan)


class _Helper:
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
