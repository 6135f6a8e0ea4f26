"""Looking at jobs: get, list, watch; and cancelling them."""

from __future__ import annotations

from datetime import timedelta
from threading import Event

import pytest

from mcsvc.adapters.memory.cache import MemoryCache
from mcsvc.app.cancel_simulation import CancelSimulation
from mcsvc.app.get_simulation import GetSimulation
from mcsvc.app.list_simulations import ListSimulations
from mcsvc.app.watch_simulation import WatchSimulation
from mcsvc.domain.errors import IllegalMove, JobNotFound
from mcsvc.domain.job import Job, JobId, Progress, State, term_of
from mcsvc.ports.job_store import JobFilter, StoredResult
from tests.job_bench import Bench
from tests.job_samples import new_job, new_job_id

NOT_AT_ALL = timedelta(0)


def watch_of(bench: Bench, *, heartbeat: timedelta = timedelta(seconds=15)) -> WatchSimulation:
    return WatchSimulation(store=bench.memory, clock=bench.clock, poll=NOT_AT_ALL, heartbeat=heartbeat)


def test_a_job_without_a_result_shows_none() -> None:
    bench = Bench()
    get = GetSimulation(store=bench.memory, cache=MemoryCache(bench.clock))
    job = bench.claimed()
    assert (get(job.id).job, get(job.id).result) == (job, None)
    with pytest.raises(JobNotFound):
        get(new_job_id())


def test_a_result_is_read_from_the_store_once_and_then_from_the_cache() -> None:
    bench = Bench()
    get = GetSimulation(store=bench.memory, cache=MemoryCache(bench.clock))
    job = bench.run(bench.claimed())
    first = get(job.id)
    asked: list[JobId] = []
    bench.memory.result = asked.append  # type: ignore[method-assign,assignment]  # must not be asked
    assert get(job.id) == first
    assert asked == []


def test_with_the_cache_down_the_result_comes_from_the_store() -> None:
    bench = Bench()
    cache = MemoryCache(bench.clock)
    cache.up = False
    job = bench.run(bench.claimed())
    assert GetSimulation(store=bench.memory, cache=cache)(job.id).result == bench.memory.result(job.id)


def test_pages_follow_each_other_and_only_the_last_has_no_next() -> None:
    bench = Bench()
    for _ in range(5):
        bench.memory.create(new_job())
        bench.clock.advance(timedelta(seconds=1))
    list_simulations = ListSimulations(store=bench.memory)
    sizes: list[int] = []
    seen: list[Job] = []
    page = list_simulations(JobFilter(), 2)
    while True:
        seen += page.jobs
        sizes.append(len(page.jobs))
        if page.next is None:
            break
        page = list_simulations(JobFilter(), 2, page.next)
    assert sizes == [2, 2, 1]
    assert seen == bench.memory.find(JobFilter(), limit=10)


def test_a_full_last_page_has_no_next() -> None:
    bench = Bench()
    bench.memory.create(new_job())
    assert ListSimulations(store=bench.memory)(JobFilter(), 1).next is None
    assert ListSimulations(store=bench.memory)(JobFilter(state=State.FAILED), 1).jobs == []


def test_a_watch_shows_the_job_at_once_then_each_change_and_ends_with_the_result() -> None:
    bench = Bench()
    job = bench.claimed()
    views = watch_of(bench)(job.id, Event())
    first = next(views)
    bench.memory.save_progress(term_of(job), Progress(paths_done=1, paths_total=2))
    second = next(views)
    bench.run(job)
    last = next(views)
    assert first is not None
    assert second is not None
    assert last is not None
    assert first.job == job
    assert second.job.progress == Progress(paths_done=1, paths_total=2)
    assert last.job.state is State.SUCCEEDED
    assert isinstance(last.result, StoredResult)
    assert list(views) == []


def test_a_watch_of_a_final_job_shows_it_once() -> None:
    bench = Bench()
    job = bench.memory.cancel(bench.claimed().id)
    assert [view and view.job for view in watch_of(bench)(job.id, Event())] == [job]


def test_a_watch_gives_a_sign_of_life_when_nothing_changes() -> None:
    bench = Bench()
    views = watch_of(bench)(bench.claimed().id, Event())
    next(views)
    bench.clock.advance(timedelta(seconds=15))
    assert next(views) is None


def test_a_watch_ends_when_it_is_told_to() -> None:
    bench = Bench()
    stop = Event()
    views = watch_of(bench)(bench.claimed().id, stop)
    next(views)
    stop.set()
    assert list(views) == []


def test_a_watch_of_an_unknown_job_finds_nothing() -> None:
    with pytest.raises(JobNotFound):
        next(watch_of(Bench())(new_job_id(), Event()))


def test_cancelling_twice_is_cancelling_once_and_a_finished_job_stays_finished() -> None:
    bench = Bench()
    cancel = CancelSimulation(store=bench.memory)
    job = bench.claimed()
    assert cancel(job.id) == cancel(job.id) == bench.memory.get(job.id)
    done = bench.run(bench.claimed())
    with pytest.raises(IllegalMove):
        cancel(done.id)
