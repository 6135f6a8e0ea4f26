"""A worker looks up often enough to be stopped, and not so often that it costs."""

from __future__ import annotations

import pytest

from simulator.serve.worker import PIECE_S, paced


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("block_s", [0.001, 0.02, 0.1, 0.24])
def test_pieces_settle_just_below_the_wanted_time(block_s: float, threads: int) -> None:
    blocks = threads
    for _ in range(12):
        blocks = paced(blocks, blocks / threads * block_s, threads)

    took_s = blocks / threads * block_s
    assert PIECE_S - block_s <= took_s <= PIECE_S * 1.001


def test_blocks_longer_than_a_piece_are_run_one_for_each_thread() -> None:
    assert paced(4, 10.0, 2) == 2


def test_a_first_piece_that_only_looked_fast_cannot_make_the_next_endless() -> None:
    assert paced(4, 0.0, 4) == 16
