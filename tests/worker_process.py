"""A worker in a process of its own, for tests that kill it: `python -m tests.worker_process URL hang|drain`.

hang: claims one job, says "hanging" in the middle of it, and when that run has ended says how many were stopped.
drain: says "ready", waits for a line, runs jobs until none is pending, then says how many it ran.
"""

from __future__ import annotations

import sys
from datetime import timedelta

from mcsvc.adapters.clock import SystemClock
from mcsvc.adapters.memory.core_service import MemoryCoreService
from mcsvc.adapters.memory.events import MemoryPublisher
from mcsvc.adapters.memory.simulator import Checkpoint, Hang, ScriptedSimulator
from mcsvc.adapters.postgres.store import PostgresJobStore
from mcsvc.app.relay_events import RelayEvents
from mcsvc.app.rescue_jobs import RescueJobs
from mcsvc.app.run_job import RunJob
from mcsvc.app.run_policy import RunPolicy
from mcsvc.domain.job import State
from mcsvc.entrypoints.worker import WorkerPool, WorkerSettings
from mcsvc.ports.job_store import JobFilter
from tests.job_samples import ASSESSMENT, RECORD, TRADES

WAIT = timedelta(seconds=30)
SHORT_LEASE = timedelta(seconds=1)
POLICY = RunPolicy(backoff_base=timedelta(0))
SETTINGS = WorkerSettings(
    threads=3,
    lease=SHORT_LEASE,
    renew_every=timedelta(milliseconds=100),
    poll_every=timedelta(milliseconds=50),
    rescue_every=timedelta(milliseconds=50),
    relay_every=timedelta(milliseconds=50),
    grace=WAIT,
)


def worker(store: PostgresJobStore, simulator: ScriptedSimulator, publisher: MemoryPublisher) -> WorkerPool:
    """A worker on a real store; its engine and broker are scripted."""
    clock, core = SystemClock(), MemoryCoreService()
    core.put(ASSESSMENT, RECORD, TRADES)
    return WorkerPool(
        store=store,
        lease_store=store,
        run_job=RunJob(store=store, core=core, simulator=simulator, clock=clock, policy=POLICY),
        rescue=RescueJobs(store=store, policy=POLICY),
        relay=RelayEvents(store=store, publisher=publisher),
        settings=SETTINGS,
    )


def say(word: object) -> None:
    """One line to the test."""
    print(word, flush=True)


def hang(pool: WorkerPool, simulator: ScriptedSimulator) -> None:
    """See the module."""
    step = Hang()
    simulator.scripts = [[Checkpoint(data=b"half", paths_done=500), step]]
    pool.start()
    step.begun.wait(WAIT.total_seconds())
    say("hanging")
    pool.wait_idle(within=WAIT)
    say(simulator.stopped)


def drain(pool: WorkerPool, store: PostgresJobStore, simulator: ScriptedSimulator) -> None:
    """See the module."""
    say("ready")
    sys.stdin.readline()
    while store.find(JobFilter(state=State.PENDING), limit=1):
        pool.claim_once()
        pool.wait_idle(within=WAIT)
    say(len(simulator.inputs))


def main(url: str, mode: str) -> None:
    """See the module."""
    store, simulator = PostgresJobStore.open(url, pool_size=5), ScriptedSimulator()
    pool = worker(store, simulator, MemoryPublisher())
    if mode == "hang":
        hang(pool, simulator)
    else:
        drain(pool, store, simulator)
    pool.stop()
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
