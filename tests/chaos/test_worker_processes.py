"""Workers as real processes on a real database: killed, frozen, and in a crowd."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mcsvc.adapters.memory.events import MemoryPublisher
from mcsvc.adapters.memory.simulator import ScriptedSimulator
from mcsvc.adapters.postgres.store import PostgresJobStore
from mcsvc.domain.job import Job, State
from mcsvc.ports.job_store import JobFilter
from tests.job_samples import new_job
from tests.worker_process import WAIT, worker

ROOT = Path(__file__).parents[2]
Worker = subprocess.Popen[str]
Start = Callable[[str], Worker]

pytestmark = pytest.mark.stack


@pytest.fixture
def start(database_url: str) -> Iterator[Start]:
    """Starts worker processes, and leaves none behind."""
    started: list[Worker] = []

    def start_one(mode: str) -> Worker:
        command = [sys.executable, "-m", "tests.worker_process", database_url, mode]
        process = subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def heard(process: Worker) -> str:
    """The next line a worker says."""
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], WAIT.total_seconds())[0], "the worker said nothing"
    return process.stdout.readline().strip()


@contextmanager
def second_worker(store: PostgresJobStore) -> Iterator[tuple[ScriptedSimulator, MemoryPublisher]]:
    """A worker in this process, running."""
    simulator, publisher = ScriptedSimulator(), MemoryPublisher()
    pool = worker(store, simulator, publisher)
    pool.start()
    try:
        yield simulator, publisher
    finally:
        pool.stop()


def rescued_by_a_second_worker(store: PostgresJobStore, job: Job) -> Job:
    """Another worker takes the job up from its checkpoint and finishes it."""
    with second_worker(store) as (simulator, publisher):
        assert publisher.wait_for(1, timeout=WAIT)
    assert simulator.resumed_from == [b"half"]
    assert [event.key for event in publisher.sent()] == [str(job.id)]
    return store.get(job.id)


def events_written(store: PostgresJobStore) -> int:
    (row,) = store.session.ask(b"SELECT count(*) AS events FROM outbox", {})
    count: int = row["events"]
    return count


def test_a_job_whose_worker_is_killed_is_finished_once_by_another(
    start: Start, postgres_store: PostgresJobStore
) -> None:
    job, _ = postgres_store.create(new_job())
    process = start("hang")
    assert heard(process) == "hanging"
    process.kill()
    process.wait(WAIT.total_seconds())
    orphan = postgres_store.get(job.id)
    assert (orphan.state, orphan.attempt) == (State.RUNNING, 1)
    done = rescued_by_a_second_worker(postgres_store, job)
    assert (done.state, done.attempt) == (State.SUCCEEDED, 2)
    assert events_written(postgres_store) == 1


def test_a_frozen_worker_that_wakes_late_stops_and_changes_nothing(
    start: Start, postgres_store: PostgresJobStore
) -> None:
    job, _ = postgres_store.create(new_job())
    process = start("hang")
    assert heard(process) == "hanging"
    process.send_signal(signal.SIGSTOP)
    done = rescued_by_a_second_worker(postgres_store, job)
    process.send_signal(signal.SIGCONT)
    assert heard(process) == "1"  # it stopped its engine run
    assert process.wait(WAIT.total_seconds()) == 0
    assert postgres_store.get(job.id) == done
    assert done.state is State.SUCCEEDED
    assert events_written(postgres_store) == 1


def test_a_crowd_of_workers_runs_each_job_once(start: Start, postgres_store: PostgresJobStore) -> None:
    jobs = [postgres_store.create(new_job())[0] for _ in range(40)]
    crowd = [start("drain") for _ in range(2)]
    assert [heard(process) for process in crowd] == ["ready"] * 2
    for process in crowd:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    shares = [int(heard(process)) for process in crowd]
    assert sum(shares) == len(jobs)
    done = postgres_store.find(JobFilter(state=State.SUCCEEDED), limit=100)
    assert len(done) == len(jobs)
    assert {job.attempt for job in done} == {1}
    assert events_written(postgres_store) == len(jobs)
