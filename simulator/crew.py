"""One simulation or many on this process's threads: units of all of them, each merged exactly.

The caller's thread makes plans, keeps the books and finishes results, as Python does but one thing at a time anyway.
The paths of a small account fly: they are launched together, and looked at once those of the next accounts are on their
way too; with one core, a few accounts are planned, then the paths of all run, then all are looked at. The units of any
other are handed out in chunks to a pool; no more of them are begun than keep it busy.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from simulator import engine, sections
from simulator.device import Device
from simulator.errors import InvalidInput
from simulator.found import Found
from simulator.launching import Flight, Launcher
from simulator.ledger import Chunk, Ledger, Outline
from simulator.planning import Plan
from simulator.sections import Section

Made = TypeVar("Made")

CHUNKS_AT_ONCE: Final = 2
"""While the last paths of a chunk run, another begins. Each uses all threads."""

CHUNK_S: Final = 0.1
"""How long a chunk should take: long against the cost of a merge, short against a person's patience."""

TOGETHER: Final = 8
"""Small accounts that one core plans, runs and looks at together: what it has just done it does faster once more, and
between two it would forget it over the paths of the first.
"""

LOOKS_S: Final = 0.05
"""The longest the caller's thread waits for a chunk before it looks at the clock and at `stop`."""

MOST_BLOCKS: Final = 8
"""An account of so many blocks may fly: more are better binned in parts."""

MOST_STEPS: Final = 1 << 26
"""An account of so many path-steps, about, may fly: more would keep the caller's thread from the clock and `stop`."""


class Stopped(Exception):
    """The caller wanted no more."""


@dataclass(kw_only=True)
class Account:
    """One simulation under way. Its own time budget counts from its first paths on."""

    plan: Plan
    ledger: Ledger
    begun: float
    first_run: float | None = None
    units_per_s: dict[Section, float] = field(default_factory=dict)

    @property
    def flies(self) -> bool:
        """Whether all its paths, and nothing else, are to be launched at once."""
        settings = self.plan.spec.settings
        paths_alone = not (settings.scenarios or settings.estimation_risk or settings.precision)
        return (
            paths_alone
            and settings.time_budget_s is None
            and self.plan.blocks <= MOST_BLOCKS
            and self.plan.paths * self.plan.mean_steps <= MOST_STEPS
        )

    @property
    def section(self) -> Section:
        """Of the next chunk, if there is one."""
        return self.ledger.section or Section.PATHS

    def size(self, at_once: int) -> int:
        """Units of the next chunk: what takes CHUNK_S, in multiples of those that run at once."""
        wanted = CHUNK_S * self.units_per_s.get(self.section, 0.0)
        return max(1, int(wanted / at_once)) * at_once

    def take(self, most: int) -> Chunk | None:
        """The next chunk of at most so many units, if there is one to hand out."""
        chunk = self.ledger.take(most)
        if chunk is not None and self.first_run is None:
            self.first_run = time.monotonic()
        return chunk

    def finish(self, chunk: Chunk, found: Found, took_s: float) -> None:
        """Books a chunk that took so long."""
        self.ledger.finish(chunk, chunk.count, found)
        self.units_per_s[chunk.section] = chunk.count / max(took_s, 1e-6)

    def expire_if_late(self, now: float) -> None:
        """Begins no further paths once the time budget is spent."""
        budget = self.plan.spec.settings.time_budget_s
        if budget is not None and self.first_run is not None and now - self.first_run >= budget:
            self.ledger.expire()


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Generic[Made]):
    """What became of one account: `made`, or why nothing could be made of it."""

    index: int
    made: Made | InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(Generic[Made]):
    """What to do about each account: make its plan, and make something of what was found, and in how many seconds."""

    count: int
    plan: Callable[[int], Plan]
    make: Callable[[Plan, Found, float], Made]
    on_progress: Callable[[Ledger], None] = lambda _: None
    stop: Callable[[], bool] = lambda: False


def work(what: Work[Made], *, threads: int | None = None) -> Iterator[Done[Made]]:
    """Each account as it is done, in any order. Closing the iterator begins nothing more. `threads`: as of a Launcher;
    None: MCSIM_THREADS, else the cores it may use.

    Raises: Stopped. KeyboardInterrupt, at once: what runs is not waited for.
    """
    pool = ThreadPoolExecutor(CHUNKS_AT_ONCE)
    waits = True
    try:
        with Launcher(engine.default_threads() if threads is None else threads) as launcher:
            yield from _Crew(what, launcher, pool).run()
    except KeyboardInterrupt:
        waits = False
        raise
    finally:
        pool.shutdown(wait=waits, cancel_futures=True)


def simulate(plan: Plan, on_progress: Callable[[int, int], None] | None = None, *, threads: int | None = None) -> Found:
    """All that a plan asks for; `on_progress` is told paths done and paths to do.

    Raises: InvalidInput if the input turns out to be impossible to simulate.
    """

    def tell(ledger: Ledger) -> None:
        if on_progress is not None:
            on_progress(ledger.paths_done, ledger.paths_to_do)

    what = Work(count=1, plan=lambda _: plan, make=lambda _, found, __: found, on_progress=tell)
    [done] = work(what, threads=threads)
    if isinstance(done.made, InvalidInput):
        raise done.made
    return done.made


def _found(account: Account, chunk: Chunk, launcher: Launcher) -> tuple[Found, float]:
    """What a chunk yields, and the seconds it took."""
    began = time.monotonic()
    found = sections.run(account.plan, chunk.section, chunk.first, chunk.count, launcher)
    return found, time.monotonic() - began


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnTheGround:
    """An account of which all paths are to be launched."""

    index: int
    account: Account
    chunk: Chunk
    device: Device


@dataclass(frozen=True, slots=True, kw_only=True)
class _InTheAir:
    """All paths of an account on their way."""

    index: int
    account: Account
    chunk: Chunk
    flight: Flight
    launched: float


class _Crew(Generic[Made]):
    """The books of `work`, all kept by the caller's thread. An account flies, or it is shared by the pool; one that has
    flown is shared if there is more to do than its paths.
    """

    def __init__(self, what: Work[Made], launcher: Launcher, pool: ThreadPoolExecutor) -> None:
        self._what = what
        self._launcher = launcher
        self._pool = pool
        self._begun = 0
        self._together = TOGETHER if launcher.in_turn else 1
        self._waiting: deque[_OnTheGround] = deque()
        self._flying: deque[_InTheAir] = deque()
        self._shared: dict[int, Account] = {}
        self._running: dict[Future[tuple[Found, float]], tuple[int, Chunk]] = {}
        self._ready: list[Done[Made]] = []

    def run(self) -> Iterator[Done[Made]]:
        while self._goes_on():
            self._book()
            self._expire()
            yield from self._ready
            self._ready.clear()
            if self._what.stop():
                raise Stopped

    def _goes_on(self) -> bool:
        """Does one of the things that there are to do; whether there was any."""
        busy = self._hand_out()
        if not busy and self._begins_another():
            self._begin()
        elif not busy and self._waiting:
            self._launch()
        elif self._flying:
            self._land()
        elif self._running:
            wait(self._running, timeout=LOOKS_S, return_when=FIRST_COMPLETED)
        else:
            return False
        return True

    def _begins_another(self) -> bool:
        """Whether there is another, and it is not time to launch those that wait, or to look at the first in the air as
        the others keep the device busy meanwhile.
        """
        return (
            self._begun < self._what.count
            and len(self._waiting) < self._together
            and not self._launcher.enough([each.flight for each in self._flying])
        )

    def _hand_out(self) -> bool:
        """Keeps the pool busy, with one chunk more than it runs; whether there were chunks enough for that."""
        for index, account in self._shared.items():
            while len(self._running) <= CHUNKS_AT_ONCE:
                at_once = sections.at_once(account.plan, account.section, self._launcher)
                chunk = account.take(account.size(at_once))
                if chunk is None:
                    break
                task = self._pool.submit(_found, account, chunk, self._launcher)
                self._running[task] = index, chunk
        return len(self._running) > CHUNKS_AT_ONCE

    def _begin(self) -> None:
        index, self._begun = self._begun, self._begun + 1
        begun = time.monotonic()
        try:
            plan = self._what.plan(index)
        except InvalidInput as invalid:
            self._end(index, invalid)
            return
        account = Account(plan=plan, ledger=Ledger(Outline.of(plan)), begun=begun)
        chunk = account.take(plan.blocks) if account.flies else None
        if chunk is None:
            self._shared[index] = account
            return
        self._waiting.append(_OnTheGround(index=index, account=account, chunk=chunk, device=Device(plan)))

    def _launch(self) -> None:
        one, launched = self._waiting.popleft(), time.monotonic()
        flight = self._launcher.launch(one.device, range(one.chunk.first, one.chunk.end))
        self._flying.append(
            _InTheAir(index=one.index, account=one.account, chunk=one.chunk, flight=flight, launched=launched)
        )

    def _land(self) -> None:
        """The account that has been in the air for longest: done, or with more to do than its paths."""
        landed = self._flying.popleft()
        index, account = landed.index, landed.account
        try:
            found = Found(tally=landed.flight.tally())
        except InvalidInput as invalid:
            self._end(index, invalid)
            return
        account.finish(landed.chunk, found, time.monotonic() - landed.launched)
        self._what.on_progress(account.ledger)
        self._shared[index] = account
        self._make_if_complete(index)

    def _book(self) -> None:
        """The chunks that are done."""
        for future in [each for each in self._running if each.done()]:
            index, chunk = self._running.pop(future)
            account = self._shared.get(index)
            if account is None:  # given up: whatever else its chunks bring is dropped
                continue
            try:
                account.finish(chunk, *future.result())
            except InvalidInput as invalid:
                del self._shared[index]
                self._end(index, invalid)
                continue
            self._what.on_progress(account.ledger)
            self._make_if_complete(index)

    def _expire(self) -> None:
        now = time.monotonic()
        for index, account in list(self._shared.items()):
            account.expire_if_late(now)
            self._make_if_complete(index)

    def _make_if_complete(self, index: int) -> None:
        account = self._shared[index]
        if not account.ledger.complete:
            return
        del self._shared[index]
        try:
            made = self._what.make(account.plan, account.ledger.total(), time.monotonic() - account.begun)
        except InvalidInput as invalid:
            self._end(index, invalid)
        else:
            self._end(index, made)

    def _end(self, index: int, made: Made | InvalidInput) -> None:
        self._ready.append(Done(index=index, made=made))
