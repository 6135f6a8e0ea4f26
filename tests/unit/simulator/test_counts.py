"""Paths that their device counts: the tally is the one that numpy makes of the same paths, to the byte."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.bins import Binned
from simulator.counts import EXCESS_BITS, KEYS, MOST_PATHS, histogram
from simulator.ended import Bins, Ended
from simulator.kernel import leaving
from simulator.kernel.bins import binned
from simulator.tally import Finished, Tally

LANES = 300
LARGEST = 2**31 - 1
AMOUNTS = st.integers(-LARGEST, LARGEST) | st.integers(-3_000, 3_000)
FROM_ZERO = st.integers(0, LARGEST) | st.integers(0, 3_000)


def ended(seed: int, **figures: npt.NDArray[np.int32] | None) -> Ended:
    """Paths of which nothing is true but that they look like some."""
    rng = np.random.default_rng(seed)
    found = Ended(
        outcome=rng.integers(0, 4, LANES).astype(np.uint8),
        final_pnl=rng.normal(0, 300_000, LANES).astype(np.int32),
        max_drawdown=rng.integers(0, 500_000, LANES).astype(np.int32),
        day=rng.integers(1, 10_000, LANES).astype(np.int32),
        trades=rng.integers(1, 1 << 28, LANES).astype(np.int32),
        overflow=np.bool_(False),
        fan=None,
        skipped=None,
        phase=None,
        paid=None,
        payouts=None,
        paused_days=None,
        odds=None,
    )
    return found._replace(**figures)


def tallies(of: Ended, paths: int, phases: int = 0) -> tuple[Tally, Tally]:
    """By the device, and by numpy."""
    with jax.enable_x64(True):
        bins = Bins(*binned(jax.numpy.asarray(of.final_pnl)), *binned(jax.numpy.asarray(of.max_drawdown)))
    overflow, counts = leaving.counted(of, bins, paths, phases=phases)
    assert not overflow
    whole = Finished(
        outcome=of.outcome, final_pnl=of.final_pnl, max_drawdown=of.max_drawdown, days=of.day, trades=of.trades,
        fan=np.zeros((3, 0), np.int32), skipped=of.skipped, payout=of.paid, payouts=of.payouts,
        paused_days=of.paused_days, phase=of.phase, phases=phases,
    )  # fmt: skip
    columns = ("outcome", "final_pnl", "max_drawdown", "days", "trades", "skipped", "payout", "payouts", "paused_days")
    cut = {name: None if (of := getattr(whole, name)) is None else of[:paths] for name in (*columns, "phase")}
    return Tally.of_counts(counts, paths), Tally.of(replace(whole, **cut))


@given(st.lists(AMOUNTS, min_size=LANES, max_size=LANES), st.lists(FROM_ZERO, min_size=LANES, max_size=LANES))
def test_amounts_of_any_size_are_binned_alike(pnl: list[int], drawdown: list[int]) -> None:
    found = ended(1, final_pnl=np.array(pnl, np.int32), max_drawdown=np.array(drawdown, np.int32))
    by_device, by_numpy = tallies(found, LANES)
    assert by_device.to_bytes() == by_numpy.to_bytes()


@pytest.mark.parametrize("paths", [1, 17, LANES])
def test_lanes_of_no_path_add_nothing(paths: int) -> None:
    rng = np.random.default_rng(5)
    beyond = np.where(np.arange(LANES) < paths, 1, 10**6)
    found = ended(
        2,
        day=(rng.integers(1, 2_000, LANES) * beyond).astype(np.int32),
        trades=rng.integers(0, 300, LANES).astype(np.int32),
        skipped=rng.integers(0, 9, LANES).astype(np.int32),
        paid=(rng.integers(0, 10**6, LANES)).astype(np.int32),
        payouts=rng.integers(0, 4, LANES).astype(np.int32),
        paused_days=rng.integers(0, 9, LANES).astype(np.int32),
        phase=(rng.integers(0, 3, LANES) * beyond).astype(np.int32),
    )
    by_device, by_numpy = tallies(found, paths, phases=3)
    assert by_device.paths == paths
    assert by_device.to_bytes() == by_numpy.to_bytes()


@pytest.mark.parametrize("value", [LARGEST, -LARGEST, 0])
def test_as_many_paths_as_may_be_with_the_largest_amount_fit_their_bin(value: int) -> None:
    """All paths in one bin, each with the largest excess there is."""
    [key], [excess] = (of.tolist() for of in Binned.of(np.array([value], np.int64)))
    bins = np.zeros(2 * KEYS - 1, np.uint64)
    bins[key + KEYS - 1] = MOST_PATHS * ((1 << EXCESS_BITS) + excess)
    found = histogram(bins)
    assert (found.count, found.total) == (MOST_PATHS, MOST_PATHS * value)
    assert found.keys.tolist() == [key]


def test_no_figure_is_no_histogram() -> None:
    assert not histogram(None).count
