"""The orchestrator of one process: claims jobs and runs them on threads, keeps leases, rescues jobs, relays events.

`docs/jobs.md` explains the protocol. Everything that decides is in the store; this only drives it.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from threading import Condition, Event, Thread
from typing import final

from mcsvc.app import metrics
from mcsvc.app.failures import no_thread
from mcsvc.domain.errors import LeaseLost, StoreUnavailable
from mcsvc.domain.job import Job, OwnerId, Term, term_of
from mcsvc.ending import Countdown
from mcsvc.entrypoints.lease_keeper import LeaseKeeper
from mcsvc.entrypoints.loop import Loop
from mcsvc.ports.job_store import JobStore

_log = logging.getLogger("mcsvc.jobs")

_BY_AGE_ONE_IN = 4
"""Of so many jobs that a pool claims one is the longest due of all, its first to begin with: so no job waits for ever,
whatever goes before it, however many pools there are and however few jobs each of them lives to claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """`threads` jobs run at once. `lease` must be many times `renew_every`.

    On stop, runs have `grace` to finish, then `halt_within` to halt and be handed back, and as long again have the
    renewals, rescues and sendings under way.
    """

    threads: int = 2
    lease: timedelta = timedelta(seconds=30)
    renew_every: timedelta = timedelta(seconds=1)
    poll_every: timedelta = timedelta(seconds=1)
    rescue_every: timedelta = timedelta(seconds=5)
    relay_every: timedelta = timedelta(milliseconds=500)
    forget_every: timedelta = timedelta(minutes=10)
    grace: timedelta = timedelta(seconds=10)
    halt_within: timedelta = timedelta(seconds=5)


@final
class WorkerPool:
    """Start it once, stop it once: each life of a worker has an owner id of its own.

    `lease_store` should have a connection of its own. `run_job(job, halt, stopping)` blocks until the attempt is
    over; after False, which says that others would fare as badly, no job is claimed before the next turn.
    """

    def __init__(
        self,
        *,
        store: JobStore,
        lease_store: JobStore,
        run_job: Callable[[Job, Event, Event], bool],
        rescue: Callable[[], int],
        relay: Callable[[], int],
        forget: Callable[[], int] = lambda: 0,
        settings: WorkerSettings,
    ) -> None:
        self.owner = OwnerId(uuid.uuid4())
        self._store = store
        self._run_job = run_job
        self._relay = relay
        self._settings = settings
        self._keeper = LeaseKeeper(lease_store, lease=settings.lease)
        self._stopping = Event()
        self._changed = Condition()
        self._running: set[Term] = set()
        self._claimed = 0
        self._claims = Loop("claims", self.claim_once, every=settings.poll_every)
        self._renewals = Loop("renewals", self._keeper.run_once, every=settings.renew_every)
        self._rescues = Loop("rescues", lambda: rescue() > 0, every=settings.rescue_every)
        self._sendings = Loop("sendings", lambda: relay() > 0, every=settings.relay_every)
        self._forgettings = Loop("forgettings", lambda: forget() > 0, every=settings.forget_every)

    def start(self) -> None:
        """Begin to claim and run."""
        for loop in (self._renewals, self._rescues, self._sendings, self._forgettings, self._claims):
            loop.start()
        _log.info("worker_started", extra={"owner": str(self.owner), "threads": self._settings.threads})

    def alive(self) -> bool:
        """True while every loop runs."""
        loops = (self._claims, self._renewals, self._rescues, self._sendings, self._forgettings)
        return all(loop.alive() for loop in loops)

    def running(self) -> int:
        """The number of jobs this worker runs now."""
        with self._changed:
            return len(self._running)

    def claim_once(self) -> bool:
        """Claim as many jobs as there are free threads, and start them. Raises StoreUnavailable."""
        free = self._settings.threads - self.running()
        by_age = sum(number % _BY_AGE_ONE_IN == 0 for number in range(self._claimed, self._claimed + free))
        claimed = self._claim(self._store.claim_longest_due, by_age)
        try:
            if len(claimed) == by_age and not self._stopping.is_set():  # else nothing more is due, or wanted
                claimed += self._claim(self._store.claim_next, free - by_age)
        finally:  # not before: a job that is handed back at once must not be claimed again by this worker
            for job in claimed:
                self._begin(job)
        return False

    def wait_idle(self, *, within: timedelta) -> bool:
        """True once no job runs; False if that takes longer than `within`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, within.total_seconds())

    def stop(self) -> bool:
        """Stop claiming, let runs finish for a while, hand the others back, send what is owed.

        True if no run was left behind; one that is left behind is rescued elsewhere when its lease is over.
        """
        grace = Countdown(self._settings.grace).start()
        if not (self._claims.stop(within=grace.left()) and self.wait_idle(within=grace.left())):
            self._stopping.set()
            self._keeper.halt_all()
        idle = self.wait_idle(within=self._settings.halt_within)
        if self._stop_loops():
            self._send_the_rest()
        _log.info("worker_stopped", extra={"owner": str(self.owner), "left_behind": self.running()})
        return idle

    def _stop_loops(self) -> bool:
        """True if sending is over, so that what is still owed can be sent from here."""
        loops = (self._rescues, self._renewals, self._forgettings, self._sendings)
        for loop in loops:
            loop.ask_to_stop()
        countdown = Countdown(self._settings.halt_within).start()
        return [loop.stop(within=countdown.left()) for loop in loops][-1]

    def _claim(self, claim: Callable[..., list[Job]], limit: int) -> list[Job]:
        claimed = claim(self.owner, limit=limit, lease=self._settings.lease) if limit > 0 else []
        self._claimed += len(claimed)
        return claimed

    def _begin(self, job: Job) -> None:
        term = term_of(job)
        halt = self._keeper.hold(term)
        with self._changed:
            self._running.add(term)
        if self._stopping.is_set():  # a claim that was under way when the worker was stopped
            halt.set()
        _log.info("job_claimed", extra={"job_id": str(job.id), "attempt": job.attempt})
        try:
            Thread(target=self._run, args=(job, term, halt), name=f"job-{job.id}", daemon=True).start()
        except (RuntimeError, MemoryError) as error:  # the process may have no more threads
            self._release(term)
            self._put_off(job, term, error)

    def _put_off(self, job: Job, term: Term, error: Exception) -> None:
        """Not handed back: this worker goes on claiming. With the store away it is rescued: nobody renews its lease."""
        _log.error("job_not_begun", extra={"job_id": str(job.id), "attempt": job.attempt, "reason": str(error)})
        failure = no_thread()
        with suppress(LeaseLost, StoreUnavailable):
            metrics.attempt_failed(self._store.put_off(term, failure, delay=self._settings.rescue_every), failure)

    def _run(self, job: Job, term: Term, halt: Event) -> None:
        go_on = False
        try:
            go_on = self._run_job(job, halt, self._stopping)
        except Exception:  # noqa: BLE001 — a bug in one run must not end the worker
            _log.exception("job_run_broke", extra={"job_id": str(job.id), "attempt": job.attempt})
        finally:
            self._release(term)
            if go_on:
                self._claims.wake()
            self._sendings.wake()

    def _release(self, term: Term) -> None:
        self._keeper.release(term)
        with self._changed:
            self._running.discard(term)
            self._changed.notify_all()

    def _send_the_rest(self) -> None:
        try:
            self._relay()
        except Exception as error:  # noqa: BLE001 — the events stay owed; another relay sends them
            _log.warning("events_left_to_others", extra={"reason": str(error)})
