"""The book of a simulation adds up, in whatever order and pieces its chunks come back."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.serve.ledger import Chunk, Ledger, Prefix
from simulator.tally import Finished, Tally

FAN_BLOCKS = 2
PATHS = 3


def tally_of(first_block: int, blocks: int) -> Tally:
    """Of made-up paths that tell their block; the first blocks have a fan of two days."""
    total = Tally.empty()
    for block in range(first_block, first_block + blocks):
        values = np.arange(PATHS, dtype=np.int32) + 100 * block
        finished = Finished(
            outcome=np.full(PATHS, block % 4, np.uint8),
            final_pnl=values,
            max_drawdown=values,
            days=values + 1,
            trades=values + 1,
            fan=np.stack([values, values]) if block < FAN_BLOCKS else np.zeros((2, 0), np.int32),
        )
        total = Tally.merge(total, Tally.of(finished, 2))
    return total


def finish(ledger: Ledger, chunk: Chunk, blocks: int | None = None) -> None:
    done = chunk.blocks if blocks is None else blocks
    ledger.finish(chunk, done, tally_of(chunk.first_block, done))


def taken(ledger: Ledger, most: int) -> Chunk:
    chunk = ledger.take(most)
    assert chunk is not None
    return chunk


def drained(ledger: Ledger) -> Tally:
    while not ledger.complete:
        finish(ledger, taken(ledger, 3))
    return ledger.total()


@given(blocks=st.integers(1, 12), chance=st.randoms())
def test_any_order_of_any_chunks_gives_the_same_bytes(blocks: int, chance: random.Random) -> None:
    ledger = Ledger(blocks=blocks, fan_blocks=min(FAN_BLOCKS, blocks))
    held: list[Chunk] = []
    while not ledger.complete:
        chunk = ledger.take(chance.randint(1, 4))
        held += [chunk] if chunk else []
        if held and (chunk is None or chance.random() < 0.5):
            chunk = held.pop(chance.randrange(len(held)))
            if chance.random() < 0.7:
                finish(ledger, chunk, chance.randint(1, chunk.blocks))
            else:
                ledger.give_back(chunk)

    assert ledger.total().to_bytes() == tally_of(0, blocks).to_bytes()


@given(blocks=st.integers(FAN_BLOCKS, 12), before=st.integers(FAN_BLOCKS, 12))
def test_a_resumed_ledger_ends_with_the_same_bytes(blocks: int, before: int) -> None:
    first = Ledger(blocks=blocks, fan_blocks=FAN_BLOCKS)
    for _ in range(min(before, blocks)):
        finish(first, taken(first, 1))
    kept = first.prefix
    assert kept is not None

    resumed = Ledger(blocks=blocks, fan_blocks=FAN_BLOCKS, resumed=kept)

    assert resumed.paths_done == kept.tally.paths
    assert drained(resumed).to_bytes() == tally_of(0, blocks).to_bytes()


def test_a_checkpoint_holds_no_fan_and_only_blocks_without_a_gap() -> None:
    ledger = Ledger(blocks=8, fan_blocks=FAN_BLOCKS)
    first, second, third = (taken(ledger, 2) for _ in range(3))
    finish(ledger, third)
    assert ledger.prefix is None
    finish(ledger, first)
    prefix = ledger.prefix
    assert prefix is not None
    assert (prefix.next_block, prefix.tally.paths, prefix.tally.fan) == (2, 2 * PATHS, ())

    finish(ledger, second)
    assert ledger.prefix is not None
    assert ledger.prefix.next_block == 6
    assert ledger.paths_done == 6 * PATHS


def test_a_chunk_that_is_out_is_not_handed_out_again_until_it_is_given_back() -> None:
    ledger = Ledger(blocks=4, fan_blocks=FAN_BLOCKS)
    chunk = taken(ledger, 4)
    assert ledger.take(4) is None
    assert ledger.unassigned == 0

    ledger.give_back(chunk)

    assert ledger.take(4) == chunk


def test_blocks_run_again_for_their_fan_are_not_counted_twice() -> None:
    before = Prefix(next_block=3, tally=drained(Ledger(blocks=3, fan_blocks=FAN_BLOCKS)))
    ledger = Ledger(blocks=4, fan_blocks=FAN_BLOCKS, resumed=before)
    again = taken(ledger, 4)

    finish(ledger, again)

    assert again == Chunk(first_block=0, blocks=FAN_BLOCKS)
    assert ledger.paths_done == 3 * PATHS
