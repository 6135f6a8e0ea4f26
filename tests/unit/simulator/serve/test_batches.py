"""Accounts are cut into batches that are small enough to lose, and a lost batch is run again."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.serve.batches import MOST_ACCOUNTS, MOST_PATHS, Batch, BatchDispatcher, batches
from simulator.serve.chunks import BatchDone
from simulator.serve.dispatch import Pace, WorkersLost
from tests.unit.simulator.serve.made_up import Busy

PACE = Pace(in_flight=3, chunk_s=1, attempts=3, tick_s=0.01)


class Workers(Busy):
    """Made-up workers: count what they are asked, lose the first `losses` batches."""

    def __init__(self, *, losses: int = 0, hang: bool = False) -> None:
        super().__init__(losses=losses, hang=hang)
        self.asked: list[Batch] = []

    async def run(self, batch: Batch) -> BatchDone:
        self.asked.append(batch)
        await self.work()
        places = range(batch.first, batch.first + batch.count)
        return BatchDone(responses=tuple(f"{place}".encode() for place in places), seconds=0.1)


async def done(workers: Workers, accounts: int) -> list[int]:
    dispatcher = BatchDispatcher(batches([1_000] * accounts, 2), workers.run, lambda: PACE)
    found: list[int] = []
    async with aclosing(dispatcher.work()) as steps:
        async for answered in steps:
            found += map(int, answered.responses) if answered else ()
    return found


@given(
    paths=st.lists(st.integers(1, 2 * MOST_PATHS), min_size=1, max_size=300),
    workers=st.integers(1, 10),
    at_a_time=st.integers(1, 8),
)
def test_batches_hold_every_account_once_and_are_not_too_large(paths: list[int], workers: int, at_a_time: int) -> None:
    found = batches(paths, workers, at_a_time)

    assert [each for batch in found for each in range(batch.first, batch.first + batch.count)] == list(
        range(len(paths))
    )
    for batch in found:
        assert 1 <= batch.count <= MOST_ACCOUNTS * at_a_time
        assert batch.count == 1 or sum(paths[batch.first : batch.first + batch.count]) <= MOST_PATHS * at_a_time


def test_a_few_accounts_are_spread_over_all_workers() -> None:
    assert {each.count for each in batches([1_000] * 24, 3)} == {2}
    assert len(batches([1_000] * 5, 3)) == 5


def test_a_worker_that_simulates_several_side_by_side_gets_larger_batches() -> None:
    assert {each.count for each in batches([1_000] * 2_560, 1, 8)} == {MOST_ACCOUNTS * 8}
    assert len(batches([100_000] * 64, 1, 8)) == 4
    assert len(batches([100_000] * 64, 1)) == 16


@pytest.mark.parametrize(("accounts", "most"), [(1_000, 25), (280, 14), (140, 7), (40, 2), (9, 1)])
def test_batches_have_an_account_for_each_core_where_two_a_worker_leave_so_many(accounts: int, most: int) -> None:
    assert max(each.count for each in batches([1_000] * accounts, 10, 7)) == most


def test_a_large_account_has_its_worker_to_itself() -> None:
    paths = [1_000] * 100
    paths[40] = MOST_PATHS + 1
    cut = [(each.first, each.count) for each in batches(paths, 1, 8)]
    assert (40, 1) in cut
    assert len(cut) == 6


def test_all_accounts_are_answered_with_a_few_batches_out_at_a_time() -> None:
    workers = Workers()
    assert sorted(asyncio.run(done(workers, 100))) == list(range(100))
    assert workers.most_at_a_time == PACE.in_flight


def test_the_batch_of_a_lost_worker_is_run_again() -> None:
    workers = Workers(losses=2)
    assert sorted(asyncio.run(done(workers, 100))) == list(range(100))
    assert {each.attempt for each in workers.asked} == {0, 1}


def test_a_batch_that_loses_worker_after_worker_ends_the_call() -> None:
    workers = Workers(losses=10**9)
    with pytest.raises(WorkersLost):
        asyncio.run(done(workers, 10))
    assert max(each.attempt for each in workers.asked) == PACE.attempts - 1
    assert workers.at_a_time == 0


def test_ticks_come_while_the_workers_are_silent() -> None:
    workers = Workers(hang=True)

    async def ticks() -> list[BatchDone | None]:
        async with aclosing(BatchDispatcher(batches([1_000], 2), workers.run, lambda: PACE).work()) as steps:
            return [await anext(steps) for _ in range(3)]

    assert asyncio.run(ticks()) == [None] * 3
    assert workers.at_a_time == 0


def test_closing_frees_the_workers() -> None:
    workers = Workers(hang=True)

    async def leave() -> None:
        waiting = asyncio.ensure_future(done(workers, 100))
        while workers.at_a_time < PACE.in_flight:
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(leave())
    assert workers.at_a_time == 0
