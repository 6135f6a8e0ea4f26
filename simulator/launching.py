"""Runs blocks ahead of the thread that looks at them, so that the device never waits for Python.

Python's threads take turns at one lock, and a thread that waits for its turn leaves the device idle. So one thread does
all that is done in Python about finished paths, and the threads here do no more than to tell the device what to run.
They are as many as shall run at once: what one thread tells it, the device does one after another.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Final, TypeVar

from simulator import xla
from simulator.device import Device, Running, Stretch
from simulator.planning import Plan
from simulator.tally import Finished, Tally

Name = TypeVar("Name")

AHEAD: Final = 4
"""Stretches of paths, a thread, that run or wait while finished ones are looked at: as many as end meanwhile."""

TOLD: Final = 3
"""How many of them a thread tells the device of at once: one runs, and others wait while that thread waits for its turn
at Python's lock. Were they more, one thread's might wait while the device has nothing left to do of the others'.
"""

LOADED_PLANS: Final = 8
"""Plans that stay loaded for their next blocks; a plan is itself alone, equal to no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """Consecutive blocks of a plan on their way."""

    device: Device
    running: tuple[Future[Running], ...]

    def land(self) -> Finished:
        """Their paths, once they have ended. Raises: AmountsTooLarge."""
        try:
            return Finished.joined([self.device.brought(each.result()) for each in self.running])
        finally:
            self.cancel()

    def tally(self) -> Tally:
        """Their tally, once they have ended. Raises: AmountsTooLarge."""
        try:
            return self.device.tally(each.result() for each in self.running)
        finally:
            self.cancel()

    def cancel(self) -> None:
        """What has not been launched never is."""
        for each in self.running:
            each.cancel()


class Launcher:
    """Threads that launch blocks. What has not been launched when it is closed never is; what has runs to its end, for
    which all wait but a KeyboardInterrupt.
    """

    def __init__(self, threads: int, *, stop: Callable[[], bool] = lambda: False) -> None:
        """`threads`: how many stretches of paths run at once; on a GPU one, with all of it. 0: one, in the thread that
        wants them, which looks at them before it launches others (`in_turn`): for a process with one core.

        `stop`: whether nobody wants any more, asked by any thread. Then who waits for a block that has not been
        launched gets a CancelledError.
        """
        self.threads = max(1, threads) if xla.backend() == xla.CPU else 1
        self._ahead = AHEAD * self.threads if threads else 0
        self._pool = ThreadPoolExecutor(max_workers=self.threads) if threads else None
        self.in_turn = not threads
        self._told = _Told()
        self._closed = threading.Event()
        self._stop = stop

    def __enter__(self) -> Launcher:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closed.set()
        if self._pool is not None:
            waits = kind is None or not issubclass(kind, KeyboardInterrupt)
            self._pool.shutdown(wait=waits, cancel_futures=True)

    def launch(self, device: Device, blocks: range) -> Flight:
        """Consecutive blocks of a loaded plan, at least one, on their way."""
        submit = _done if self._pool is None else self._pool.submit
        running = [submit(self._run, device, each) for each in device.stretches(blocks)]
        return Flight(device=device, running=tuple(running))

    def flown(self, wanted: Iterable[tuple[Name, Device, range]]) -> Generator[tuple[Name, Flight], None, None]:
        """Blocks in the order in which they are wanted, each launched some time before it is handed out. Who wants no
        more closes the iterator.
        """
        flights: deque[tuple[Name, Flight]] = deque()
        try:
            for name, device, blocks in wanted:
                flights.append((name, self.launch(device, blocks)))
                while self.enough([flight for _, flight in flights]):
                    yield flights.popleft()
            while flights:
                yield flights.popleft()
        finally:
            for _, flight in flights:
                flight.cancel()

    def enough(self, flights: Sequence[Flight]) -> bool:
        """Whether it is time to look at the first of these, as the others keep the device busy meanwhile."""
        return bool(flights) and sum(len(flight.running) for flight in flights[1:]) >= self._ahead

    def is_unwanted(self) -> bool:
        """Whether nobody wants any more."""
        return self._closed.is_set() or self._stop()

    def _run(self, device: Device, stretch: Stretch) -> Running:
        if len(self._told.running) == TOLD:
            self._told.running.popleft().wait()
        if self.is_unwanted():
            raise CancelledError
        running = device.run(stretch)
        self._told.running.append(running)
        return running


def _done(run: Callable[[Device, Stretch], Running], device: Device, stretch: Stretch) -> Future[Running]:
    """As the `submit` of an executor, but done when it returns."""
    future = Future[Running]()
    future.set_result(run(device, stretch))
    return future


class _Told(threading.local):
    """What the thread has told the device to run, of which the first may have ended."""

    def __init__(self) -> None:
        self.running: deque[Running] = deque()


@lru_cache(maxsize=LOADED_PLANS)
def loaded(plan: Plan) -> Device:
    """A plan on the device that stays there for the blocks to come."""
    return Device(plan)
