"""The tally: the same bytes however the paths are cut into chunks and in whatever order these are merged."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.tally import Finished, Outcome, Tally

FAN_DAYS = 3


def finished(n: int, *, seed: int = 1, fan_paths: int | None = None) -> Finished:
    rng = np.random.default_rng(seed)
    return Finished(
        outcome=rng.integers(0, 4, n).astype(np.uint8),
        final_pnl=rng.normal(0, 300_000, n).astype(np.int32),
        max_drawdown=rng.integers(0, 500_000, n).astype(np.int32),
        days=rng.integers(1, 60, n).astype(np.int32),
        trades=rng.integers(1, 300, n).astype(np.int32),
        fan=rng.normal(0, 1_000, (FAN_DAYS, n if fan_paths is None else fan_paths)).astype(np.int32),
    )


def part(whole: Finished, start: int, stop: int) -> Finished:
    """The paths from start to stop, with what they have of the fan."""
    return Finished(
        outcome=whole.outcome[start:stop],
        final_pnl=whole.final_pnl[start:stop],
        max_drawdown=whole.max_drawdown[start:stop],
        days=whole.days[start:stop],
        trades=whole.trades[start:stop],
        fan=whole.fan[:, start:stop],
    )


@given(st.lists(st.integers(0, 200), max_size=8), st.randoms())
def test_any_chunking_in_any_order_gives_the_same_bytes(cuts: list[int], random: Random) -> None:
    whole = finished(200, fan_paths=120)
    bounds = [0, *sorted(cuts), 200]
    chunks = [Tally.of(part(whole, a, b), FAN_DAYS) for a, b in pairwise(bounds)]
    random.shuffle(chunks)
    merged = reduce(Tally.merge, chunks, Tally.empty())
    assert merged.to_bytes() == Tally.of(whole, FAN_DAYS).to_bytes()


def test_merging_is_associative_and_has_a_neutral_element() -> None:
    a, b, c = (Tally.of(finished(50, seed=seed), FAN_DAYS) for seed in (1, 2, 3))
    assert Tally.merge(Tally.merge(a, b), c) == Tally.merge(a, Tally.merge(b, c))
    assert Tally.merge(Tally.empty(), a) == a == Tally.merge(a, Tally.empty())


def test_every_path_is_counted_where_it_belongs() -> None:
    paths = finished(500)
    tally = Tally.of(paths, FAN_DAYS)
    breached = np.isin(paths.outcome, [Outcome.BREACHED_MAX_DRAWDOWN, Outcome.BREACHED_DAILY_LOSS])
    assert (tally.paths, tally.steps) == (500, int(paths.trades.sum()))
    assert tally.outcomes == tuple(int((paths.outcome == outcome).sum()) for outcome in Outcome)
    assert tally.days_to_pass.total == int(paths.days[paths.outcome == Outcome.PASSED].sum())
    assert tally.days_to_breach.total == int(paths.days[breached].sum())
    assert tally.final_pnl.total == int(paths.final_pnl.sum())
    assert tally.max_drawdown.total == int(paths.max_drawdown.sum())
    assert tally.trades_to_end.total == tally.steps
    assert [day.total for day in tally.fan] == paths.fan.sum(axis=1).tolist()


def test_serialised_form_is_read_back() -> None:
    tally = Tally.of(finished(300), FAN_DAYS)
    assert Tally.from_bytes(tally.to_bytes()) == tally
    assert Tally.from_bytes(Tally.empty().to_bytes()) == Tally.empty()


def test_paths_beyond_the_fan_add_nothing_to_it() -> None:
    tally = Tally.of(finished(10, fan_paths=0), FAN_DAYS)
    assert [day.count for day in tally.fan] == [0, 0, 0]


def test_a_fan_of_other_days_is_refused() -> None:
    with pytest.raises(ValueError, match="shown days"):
        Tally.of(finished(10), FAN_DAYS + 1)
    with pytest.raises(ValueError, match="one plan"):
        Tally.merge(Tally.of(finished(10), FAN_DAYS), Tally.of(finished(10, fan_paths=0), FAN_DAYS + 1))


@pytest.mark.parametrize("damage", [b"", b"MCT0", b"MCT1", b"MCT1" + bytes(20)])
def test_damaged_bytes_are_refused_with_the_remedy(damage: bytes) -> None:
    with pytest.raises(ValueError, match="start again without the checkpoint"):
        Tally.from_bytes(damage)


def test_a_tally_cut_short_is_refused() -> None:
    with pytest.raises(ValueError, match="cut short"):
        Tally.from_bytes(Tally.of(finished(30), FAN_DAYS).to_bytes()[:-3])
