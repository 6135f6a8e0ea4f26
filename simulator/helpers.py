"""Processes that simulate accounts, one for each core: Python does one thing at a time, and is half of a small account.

Inputs go in and answers come out as bytes, which are not read here. See docs/adr/0013 for the states of a helper.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

from simulator.helper_process import LOOKS_S, Group, HelperLost, HelperProcess, Reply
from simulator.many import Answered, joined

MOST_ACCOUNTS: Final = 8
"""Of a group, which is what a helper is given at a time: enough that the way there and back takes little."""


class _Stopped(Exception):
    """Somebody said so while a helper was waited for."""


class Helpers:
    """So many processes, each started when there is first something for it to do. Calls share them, group by group."""

    def __init__(self, count: int, *, compile_cache: str = "") -> None:
        """`compile_cache`: the folder where compiled kernels are kept, or "" for none."""
        self._count = count
        self._cache = compile_cache
        self._helpers: list[HelperProcess] = []
        self._free: list[HelperProcess] = []
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
    def _borrowed(self, stop: Callable[[], bool] = lambda: False) -> Iterator[HelperProcess]:
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

    def _free_or_another(self, stop: Callable[[], bool]) -> HelperProcess:
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

    def _available(self) -> HelperProcess | None:
        """That which became free last, or one more, as long as there are too few."""
        while self._free:
            helper = self._free.pop()
            if helper.lives:
                return helper
            helper.end()
            self._helpers.remove(helper)
        return self._another() if len(self._helpers) < self._count else None

    def _another(self) -> HelperProcess:
        try:
            helper = HelperProcess(self._cache)
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
