"""The dispatcher feeds workers, gets over lost ones, and frees them when nobody listens any more."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from simulator.found import Found
from simulator.ledger import Chunk, Ledger, Outline
from simulator.sections import Section
from simulator.serve.chunks import ChunkDone
from simulator.serve.dispatch import Dispatcher, Pace, WorkersLost
from tests.unit.simulator.serve.made_up import Busy

BLOCKS = 40
HISTORIES = 12
PACE = Pace(in_flight=3, chunk_s=1, attempts=3, tick_s=0.01)


class Workers(Busy):
    """Made-up workers: count what they are asked, lose the first `losses` chunks, take `speed` blocks a second."""

    def __init__(self, *, losses: int = 0, speed: float = 5, hang: bool = False) -> None:
        super().__init__(losses=losses, hang=hang)
        self.asked: list[Chunk] = []
        self._speed = speed

    async def run(self, chunk: Chunk, budget_s: float) -> ChunkDone:
        self.asked.append(chunk)
        await self.work()
        count = min(chunk.count, max(1, int(self._speed * budget_s)))
        return ChunkDone(count=count, found=Found().to_bytes(), seconds=count / self._speed)


def ledger() -> Ledger:
    return Ledger(Outline(paths=BLOCKS + HISTORIES, blocks=BLOCKS, fan_blocks=1, histories=HISTORIES, history_paths=1))


async def work(book: Ledger, workers: Workers, pace: Pace = PACE) -> None:
    async with aclosing(Dispatcher(book, workers.run, lambda: pace).work()) as steps:
        async for _ in steps:
            pass


def units_of(chunks: list[Chunk], section: Section) -> list[int]:
    return sorted(unit for chunk in chunks for unit in range(chunk.first, chunk.end) if chunk.section is section)


def test_every_unit_is_asked_for_once_in_chunks_of_the_wanted_time() -> None:
    book, workers = ledger(), Workers(speed=5)

    asyncio.run(work(book, workers))

    assert book.complete
    assert units_of(workers.asked, Section.PATHS) == list(range(BLOCKS))
    assert units_of(workers.asked, Section.HISTORIES) == list(range(HISTORIES))
    assert max(chunk.count for chunk in workers.asked) <= 5
    assert workers.most_at_a_time == PACE.in_flight


def test_chunks_get_smaller_towards_the_end_but_are_worth_their_way() -> None:
    book, workers = ledger(), Workers(speed=60)

    asyncio.run(work(book, workers))

    sizes = [chunk.count for chunk in workers.asked if chunk.section is Section.PATHS]
    known = sizes[PACE.in_flight :]
    assert known == sorted(known, reverse=True)
    assert known[0] > 3
    assert min(known[:-1]) == 3, "0.05 s are three blocks"


def test_workers_added_in_mid_job_get_chunks_of_it() -> None:
    book, workers = ledger(), Workers(speed=1)

    def pace() -> Pace:
        return replace(PACE, in_flight=6) if len(workers.asked) > PACE.in_flight else PACE

    async def work_on() -> None:
        async with aclosing(Dispatcher(book, workers.run, pace).work()) as steps:
            async for _ in steps:
                pass

    asyncio.run(work_on())

    assert book.complete
    assert workers.most_at_a_time == 6


def test_a_worker_that_stops_at_its_budget_leaves_the_rest_to_others() -> None:
    book, workers = ledger(), Workers(speed=2)

    asyncio.run(work(book, workers))

    assert book.complete


def test_the_chunk_of_a_lost_worker_is_run_again() -> None:
    book, workers = ledger(), Workers(losses=2)

    asyncio.run(work(book, workers))

    assert book.complete
    assert len(units_of(workers.asked, Section.PATHS) + units_of(workers.asked, Section.HISTORIES)) > BLOCKS + HISTORIES


def test_a_chunk_that_loses_worker_after_worker_ends_the_simulation() -> None:
    workers = Workers(losses=10**9)

    with pytest.raises(WorkersLost):
        asyncio.run(work(ledger(), workers))

    assert max(chunk.attempt for chunk in workers.asked) == PACE.attempts - 1
    assert workers.at_a_time == 0


def test_ticks_come_while_the_workers_are_silent_and_closing_frees_them() -> None:
    workers = Workers(hang=True)

    async def listen_a_while() -> None:
        async with aclosing(Dispatcher(ledger(), workers.run, lambda: PACE).work()) as steps:
            for _ in range(3):
                await anext(steps)
            assert workers.at_a_time == PACE.in_flight

    asyncio.run(listen_a_while())

    assert workers.at_a_time == 0
