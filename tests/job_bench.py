"""The use-cases around one job, over fakes: a bench to run attempts on, one step at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from typing import cast

from mcsvc.adapters.memory.clock import ManualClock
from mcsvc.adapters.memory.core_service import MemoryCoreService
from mcsvc.adapters.memory.job_store import MemoryJobStore
from mcsvc.adapters.memory.simulator import ScriptedSimulator
from mcsvc.app.rescue_jobs import RescueJobs
from mcsvc.app.run_job import RunJob
from mcsvc.app.run_policy import RunPolicy
from mcsvc.domain.errors import StoreUnavailable
from mcsvc.domain.job import Failure, Job
from mcsvc.ports.job_store import JobStore, OutboxEvent
from tests.job_samples import ACCOUNT, ASSESSMENT, LEASE, RECORD, TRADES, new_job, new_owner

POLICY = RunPolicy(
    backoff_base=timedelta(seconds=2), store_patience=timedelta(0), store_retry_every=timedelta(0), jitter=lambda: 0.0
)


@dataclass(kw_only=True)
class Bench:
    """Everything a job needs; `store` may be replaced by one that misbehaves."""

    clock: ManualClock = field(default_factory=ManualClock)
    simulator: ScriptedSimulator = field(default_factory=ScriptedSimulator)
    core: MemoryCoreService = field(default_factory=MemoryCoreService)
    policy: RunPolicy = POLICY
    halt: Event = field(default_factory=Event)
    stopping: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self.memory = MemoryJobStore(self.clock)
        self.store: JobStore = self.memory
        for subject in (ASSESSMENT, ACCOUNT):
            self.core.put(subject, RECORD, TRADES)

    def claimed(self, job: Job | None = None, *, lease: timedelta = LEASE) -> Job:
        """A job whose next attempt was just claimed: a new one, or this one."""
        self.memory.create(job or new_job())
        (claimed,) = self.memory.claim_next(new_owner(), limit=1, lease=lease)
        return claimed

    def claim_again(self) -> Job:
        """The same job's next attempt, once its wait is over."""
        self.clock.advance(timedelta(hours=1))
        (claimed,) = self.memory.claim_next(new_owner(), limit=1, lease=LEASE)
        return claimed

    def run(self, job: Job) -> Job:
        """Run one attempt; the job afterwards."""
        run_job = RunJob(
            store=self.store, core=self.core, simulator=self.simulator, clock=self.clock, policy=self.policy
        )
        run_job(job, self.halt, self.stopping)
        return self.memory.get(job.id)

    def rescue(self) -> int:
        """Take up what is stalled."""
        return RescueJobs(store=self.store, policy=self.policy)()

    def events(self) -> list[OutboxEvent]:
        """All events owed."""
        return self.memory.unsent(limit=100)


class FlakyStore:
    """A store whose `nth` call (from 0) fails: before it does anything, or after it has done all of it."""

    def __init__(self, store: JobStore, *, nth: int, after: bool) -> None:
        self._store = store
        self._nth = nth
        self._after = after
        self.calls = 0

    def __getattr__(self, name: str) -> object:
        method = getattr(self._store, name)

        def call(*args: object, **kwargs: object) -> object:
            fails = self.calls == self._nth
            self.calls += 1
            if fails and not self._after:
                raise StoreUnavailable("switched off by the test, before the call")
            answer = method(*args, **kwargs)
            if fails:
                raise StoreUnavailable("switched off by the test, after the call")
            return answer

        return call

    def as_store(self) -> JobStore:
        """Itself, as the port it stands in for."""
        return cast("JobStore", self)


class RefusingStore:
    """A store that takes no failure of these words."""

    def __init__(self, store: JobStore, *, words: str) -> None:
        self._store = store
        self._words = words

    def __getattr__(self, name: str) -> object:
        method = getattr(self._store, name)

        def call(*args: object, **kwargs: object) -> object:
            if any(isinstance(arg, Failure) and arg.message == self._words for arg in args):
                raise ValueError("switched off by the test")
            return method(*args, **kwargs)

        return call

    def as_store(self) -> JobStore:
        """Itself, as the port it stands in for."""
        return cast("JobStore", self)
