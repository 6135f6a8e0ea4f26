"""The book of a simulation adds up, in whatever order and pieces its chunks come back, and wherever it ends early."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import precision
from simulator.estimation_risk import Histories
from simulator.found import Found
from simulator.ledger import Chunk, Ledger, Outline, Prefix
from simulator.scenarios import Paired
from simulator.sections import Section
from simulator.tally import Finished, Tally

FAN_BLOCKS = 1
PATHS = 3
HISTORY_PATHS = 10


def outline(blocks: int, *, histories: int = 0, enough: Callable[[Tally], bool] | None = None) -> Outline:
    return Outline(
        paths=blocks * PATHS + histories * HISTORY_PATHS, blocks=blocks, fan_blocks=FAN_BLOCKS,
        histories=histories, history_paths=HISTORY_PATHS, enough=enough,
    )  # fmt: skip


def finished_of(block: int, shift: int = 0) -> Finished:
    """Made-up paths that tell their block; the first block has a fan of two days."""
    values = np.arange(PATHS, dtype=np.int32) + 100 * block + shift
    return Finished(
        outcome=np.full(PATHS, (block + shift) % 4, np.uint8),
        final_pnl=values,
        max_drawdown=values,
        days=values + 1,
        trades=values + 1,
        fan=np.stack([values, values]) if block < FAN_BLOCKS else np.zeros((2, 0), np.int32),
    )


def found_of(section: Section, first: int, count: int) -> Found:
    total = Found()
    for unit in range(first, first + count):
        if section is Section.HISTORIES:
            total += Found(histories=Histories(ends={unit: (unit, 1, 2, 3)}))
        else:
            finished = finished_of(unit)
            tally = Tally.of(finished)
            total += Found(tally=tally, pairs=(Paired.of(finished, finished_of(unit, shift=1)),))
    return total.fan_alone() if section is Section.FAN else total


def all_of(blocks: int, histories: int = 0) -> Found:
    return found_of(Section.PATHS, 0, blocks) + found_of(Section.HISTORIES, 0, histories)


def finish(ledger: Ledger, chunk: Chunk, count: int | None = None) -> None:
    done = chunk.count if count is None else count
    ledger.finish(chunk, done, found_of(chunk.section, chunk.first, done))


def taken(ledger: Ledger, most: int) -> Chunk:
    chunk = ledger.take(most)
    assert chunk is not None
    return chunk


def shuffled(ledger: Ledger, chance: random.Random, *, until: Callable[[], bool] = lambda: False) -> None:
    """Works the ledger off with chunks that come back late, in part, or not at all."""
    held: list[Chunk] = []
    while not ledger.complete and not until():
        chunk = ledger.take(chance.randint(1, 4))
        held += [chunk] if chunk else []
        if held and (chunk is None or chance.random() < 0.5):
            chunk = held.pop(chance.randrange(len(held)))
            if chance.random() < 0.7:
                finish(ledger, chunk, chance.randint(1, chunk.count))
            else:
                ledger.give_back(chunk)


def without_fan(prefix: Prefix) -> Prefix:
    """As a checkpoint keeps it."""
    return Prefix(blocks=prefix.blocks, histories=prefix.histories, found=prefix.found.without_fan())


def same(a: Found, b: Found) -> bool:
    return a.to_bytes() == b.to_bytes()


@given(blocks=st.integers(1, 12), histories=st.integers(0, 6), chance=st.randoms())
def test_any_order_of_any_chunks_gives_the_same_bytes(blocks: int, histories: int, chance: random.Random) -> None:
    ledger = Ledger(outline(blocks, histories=histories))

    shuffled(ledger, chance)

    assert same(ledger.total(), all_of(blocks, histories))
    assert ledger.paths_done == ledger.paths_to_do == blocks * PATHS + histories * HISTORY_PATHS


@given(blocks=st.integers(1, 12), histories=st.integers(0, 6), units=st.integers(0, 18), chance=st.randoms())
def test_a_resumed_ledger_ends_with_the_same_bytes(
    blocks: int, histories: int, units: int, chance: random.Random
) -> None:
    first = Ledger(outline(blocks, histories=histories))
    shuffled(first, chance, until=lambda: first.prefix.blocks + first.prefix.histories >= units)
    kept = without_fan(first.prefix)

    resumed = Ledger(outline(blocks, histories=histories), kept)

    assert resumed.paths_done == first.paths_of(kept)
    shuffled(resumed, chance)
    assert same(resumed.total(), all_of(blocks, histories))


@given(enough_from=st.integers(1, 20), blocks=st.integers(1, 20), chance=st.randoms())
def test_it_ends_at_the_first_look_at_which_the_paths_are_precise_enough(
    enough_from: int, blocks: int, chance: random.Random
) -> None:
    looks = [4, 8, 16]
    first_precise = next((look for look in looks if enough_from <= look <= blocks), blocks)
    ledger = Ledger(outline(blocks, enough=lambda tally: tally.paths >= enough_from * PATHS))

    shuffled(ledger, chance)

    assert same(ledger.total(), all_of(first_precise))


@given(resume_at=st.integers(0, 8), chance=st.randoms())
def test_a_ledger_resumed_before_or_at_a_look_ends_there_too(resume_at: int, chance: random.Random) -> None:
    precise = outline(16, enough=lambda tally: tally.paths >= 5 * PATHS)
    kept = without_fan(Prefix(blocks=resume_at, found=found_of(Section.PATHS, 0, resume_at)))

    resumed = Ledger(precise, kept)
    shuffled(resumed, chance)

    assert same(resumed.total(), all_of(8))


@given(before=st.integers(0, 10), chance=st.randoms())
def test_an_expired_ledger_ends_with_the_blocks_done_without_a_gap_and_at_least_one(
    before: int, chance: random.Random
) -> None:
    ledger = Ledger(outline(12, histories=3))
    held = [taken(ledger, 1) for _ in range(before)]
    chance.shuffle(held)
    ledger.expire()
    for chunk in held:
        finish(ledger, chunk)

    shuffled(ledger, chance)

    blocks = max(1, before - 3)
    assert same(ledger.total(), all_of(blocks, 3))


def test_a_lost_chunk_of_an_expired_ledger_is_not_run_again_but_for_the_first_block() -> None:
    ledger = Ledger(outline(12))
    first, second = taken(ledger, 2), taken(ledger, 2)
    ledger.expire()
    assert ledger.take(4) is None
    ledger.give_back(second)
    ledger.give_back(first)

    assert ledger.take(4) == Chunk(section=Section.PATHS, first=0, count=1)
    finish(ledger, Chunk(section=Section.PATHS, first=0, count=1))

    assert ledger.complete
    assert same(ledger.total(), all_of(1))


@pytest.mark.parametrize("section", [Section.HISTORIES, Section.PATHS])
def test_a_chunk_that_is_out_is_not_handed_out_again_until_it_is_given_back(section: Section) -> None:
    ledger = Ledger(outline(4, histories=4))
    chunks = [taken(ledger, 4), taken(ledger, 4)]
    chunk = next(each for each in chunks if each.section is section)
    assert ledger.take(4) is None
    assert ledger.unassigned(section) == 0

    ledger.give_back(chunk)

    assert ledger.take(4) == chunk


def test_histories_come_before_paths_and_the_fan_of_a_resumed_simulation_before_both() -> None:
    kept = without_fan(Prefix(blocks=1, found=found_of(Section.PATHS, 0, 1)))
    ledger = Ledger(outline(4, histories=2), kept)

    order = [taken(ledger, 9) for _ in range(3)]

    assert [(chunk.section, chunk.first, chunk.count) for chunk in order] == [
        (Section.FAN, 0, 1), (Section.HISTORIES, 0, 2), (Section.PATHS, 1, 3)
    ]  # fmt: skip


def test_blocks_run_again_for_their_fan_are_not_counted_twice() -> None:
    before = without_fan(Prefix(blocks=3, found=found_of(Section.PATHS, 0, 3)))
    ledger = Ledger(outline(4), before)

    finish(ledger, taken(ledger, 4))

    assert ledger.paths_done == 3 * PATHS


def test_looks_come_after_four_blocks_and_then_at_every_doubling() -> None:
    assert [blocks for blocks in range(1, 70) if precision.is_look(blocks)] == [4, 8, 16, 32, 64]
    assert [precision.next_look(blocks) for blocks in (0, 3, 4, 31, 32)] == [4, 4, 8, 32, 64]
