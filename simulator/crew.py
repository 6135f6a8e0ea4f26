"""Threads of this process that work off one simulation or many: units of all of them in turn, each merged exactly.

The caller's thread keeps the books; the threads of the pool prepare plans, run chunks and finish results. While others
wait, the thread that begins an account goes on with it alone for a moment, which is all that a small one takes; one
that is large, or among the last, is shared by all threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Generic, TypeVar

from simulator import engine, sections
from simulator.errors import InvalidInput
from simulator.found import Found
from simulator.ledger import Chunk, Ledger, Outline
from simulator.planning import Plan
from simulator.sections import Section

Made = TypeVar("Made")

CHUNK_S: Final = 0.1
"""How long a chunk should keep a thread: long against the cost of a merge, short against a person's patience."""

LOOKS_S: Final = 0.05
"""The longest the caller's thread waits before it looks at the clock and at `stop`."""


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

    def size(self, threads: int) -> int:
        """Units of the next chunk: a share of what is left, and at most what a thread does in CHUNK_S."""
        section = self.ledger.section
        if section is None or section not in self.units_per_s:
            return 1
        share = -(-self.ledger.unassigned(section) // (2 * threads))
        return max(1, min(share, int(self.units_per_s[section] * CHUNK_S)))

    def take(self, threads: int) -> Chunk | None:
        """The next chunk, if there is one to hand out."""
        chunk = self.ledger.take(self.size(threads))
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
    """Each account as it is done, in any order. Closing the iterator begins nothing more.

    Raises: Stopped.
    """
    crew = _Crew(what, threads or engine.default_threads())
    with crew.pool:
        try:
            yield from crew.run()
        finally:
            crew.pool.shutdown(wait=True, cancel_futures=True)


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


Booking = Callable[[], None]
"""What the caller's thread does once a task of the pool is done."""


def _found(account: Account, chunk: Chunk, threads: int = 1) -> tuple[Found, float]:
    """What a chunk yields, and the seconds it took."""
    began = time.monotonic()
    found = sections.run(account.plan, chunk.section, chunk.first, chunk.count, threads=threads)
    return found, time.monotonic() - began


class _Crew(Generic[Made]):
    """The books of `work`. A task runs in the pool and returns what is then to be done with the books."""

    def __init__(self, what: Work[Made], threads: int) -> None:
        self._what = what
        self._threads = threads
        self._tasks = threads + engine.SPARE_THREADS
        self.pool = ThreadPoolExecutor(max_workers=self._tasks)
        self._begun = 0
        self._accounts: dict[int, Account] = {}
        self._running: set[Future[Booking]] = set()
        self._given_up: set[int] = set()
        self._ready: list[Done[Made]] = []

    def run(self) -> Iterator[Done[Made]]:
        self._feed()
        while self._running:
            done, self._running = wait(self._running, timeout=LOOKS_S, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()()
            self._look_up()
            self._feed()
            ready, self._ready = self._ready, []
            yield from ready

    def _feed(self) -> None:
        """Keeps every thread busy, with one task more than there are threads."""
        while len(self._running) <= self._tasks:
            task = self._next_task()
            if task is None:
                return
            self._running.add(self.pool.submit(task))

    def _next_task(self) -> Callable[[], Booking] | None:
        for index, account in self._accounts.items():
            chunk = account.take(self._threads)
            if chunk is not None:
                return self._guarded(index, partial(self._run, index, account, chunk))
        if self._begun == self._what.count:
            return None
        index, self._begun = self._begun, self._begun + 1
        others_wait = self._begun + self._tasks <= self._what.count
        return self._guarded(index, partial(self._begin, index, alone=others_wait))

    def _look_up(self) -> None:
        if self._what.stop():
            raise Stopped
        now = time.monotonic()
        for index, account in list(self._accounts.items()):
            account.expire_if_late(now)
            if account.ledger.complete:
                del self._accounts[index]
                self._running.add(self.pool.submit(self._guarded(index, partial(self._make, index, account))))

    def _guarded(self, index: int, task: Callable[[], Booking]) -> Callable[[], Booking]:
        """The task, of which bad input ends its account alone."""

        def guarded() -> Booking:
            try:
                return task()
            except InvalidInput as invalid:
                return partial(self._give_up, index, invalid)

        return guarded

    def _begin(self, index: int, *, alone: bool) -> Booking:
        begun = time.monotonic()
        plan = self._what.plan(index)
        account = Account(plan=plan, ledger=Ledger(Outline.of(plan)), begun=begun)
        if alone and self._goes_on(account):
            return self._make(index, account)
        return partial(self._accounts.__setitem__, index, account)

    def _goes_on(self, account: Account) -> bool:
        """Runs paths of an account that no other thread knows of yet, for as long as a chunk takes; whether it is done.

        While other accounts keep the other threads busy, a small one need not be handed from thread to thread. One with
        a time budget is not let go: its time would run out while it waits for its turn.
        """
        budget = account.plan.spec.settings.time_budget_s
        while not account.ledger.complete and not self._what.stop():
            if budget is None and time.monotonic() - account.begun >= CHUNK_S:
                break
            chunk = account.take(1)
            if chunk is None:
                break
            account.finish(chunk, *_found(account, chunk))
            account.expire_if_late(time.monotonic())
        return account.ledger.complete

    def _run(self, index: int, account: Account, chunk: Chunk) -> Booking:
        searches = chunk.section is Section.RARE and self._what.count == 1
        return partial(self._book, index, chunk, *_found(account, chunk, self._threads if searches else 1))

    def _book(self, index: int, chunk: Chunk, found: Found, took_s: float) -> None:
        account = self._accounts.get(index)
        if account is not None:
            account.finish(chunk, found, took_s)
            self._what.on_progress(account.ledger)

    def _make(self, index: int, account: Account) -> Booking:
        made = self._what.make(account.plan, account.ledger.total(), time.monotonic() - account.begun)
        return partial(self._hand_out, Done(index=index, made=made))

    def _give_up(self, index: int, invalid: InvalidInput) -> None:
        """Whatever else its threads bring is dropped."""
        self._accounts.pop(index, None)
        if index not in self._given_up:
            self._given_up.add(index)
            self._hand_out(Done(index=index, made=invalid))

    def _hand_out(self, done: Done[Made]) -> None:
        self._ready.append(done)
