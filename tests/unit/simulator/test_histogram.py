"""The histogram: exact where it says so, within a bin elsewhere, and merged in any order to the same bytes."""

from __future__ import annotations

from functools import reduce
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.bins import Binned, edges_of
from simulator.histogram import MAX_MAGNITUDE, Histogram, merge

MONEY = st.lists(st.integers(-(2**31), 2**31 - 1), max_size=60)
SMALL = st.lists(st.integers(-2047, 2047), min_size=1, max_size=60)
BIN_WIDTH = 2.0**-10


def of(values: list[int], dtype: type[np.integer] = np.int64) -> Histogram:
    return Histogram.of(np.array(values, dtype=dtype))


@given(MONEY)
def test_count_and_total_are_exact(values: list[int]) -> None:
    histogram = of(values)
    assert (histogram.count, histogram.total) == (len(values), sum(values))


@given(st.lists(st.integers(1 - MAX_MAGNITUDE, MAX_MAGNITUDE - 1), max_size=40))
def test_totals_beyond_the_exact_range_of_float64_are_exact(values: list[int]) -> None:
    assert of(values * 400).total == sum(values) * 400


LARGE = (
    (5_000, MAX_MAGNITUDE - 1, ()),
    (5_000, 1 - MAX_MAGNITUDE, (2_000, 2_000)),
    ((1 << 15) - 2, (1 << 34) - 1, ()),
    ((1 << 15) - 2, (1 << 34) - 1, (1, 1 << 14)),
    (1 << 17, (1 << 30) - 1, (1 << 16,)),
    ((1 << 17) - 1, (1 << 30) - 1, (1 << 16,)),
)
"""How many, of which value, cut where: as large as counts and excesses may be together, and larger."""


@pytest.mark.parametrize(("count", "value", "cuts"), LARGE)
def test_counts_and_excesses_that_are_summed_together_do_not_touch(
    count: int, value: int, cuts: tuple[int, ...]
) -> None:
    others = np.array([-value, 0, 7])
    parts = [others, *np.split(np.full(count, value, np.int64), cuts)]
    for histogram in (Histogram.of(*parts), Histogram.of_binned([Binned.of(part) for part in parts])):
        assert (histogram.count, histogram.total) == (count + 3, (count - 1) * value + 7)
        assert histogram.at_ranks(np.array([histogram.count // 2])).tolist() == [value]


@given(st.lists(st.lists(st.integers(1 - 2**31, 2**31 - 1), max_size=30), max_size=5))
def test_values_whose_bins_are_known_give_the_same_bytes_in_parts(parts: list[list[int]]) -> None:
    whole = of([value for part in parts for value in part])
    arrays = [np.array(part, np.int32) for part in parts]
    assert Histogram.of(*arrays).to_bytes() == whole.to_bytes()
    known = [Binned(*(each.astype(np.int32) for each in Binned.of(array))) for array in arrays]
    assert Histogram.of_binned(known).to_bytes() == whole.to_bytes()


@given(MONEY, MONEY, MONEY)
def test_merging_depends_on_neither_order_nor_grouping(a: list[int], b: list[int], c: list[int]) -> None:
    x, y, z = of(a), of(b), of(c)
    whole = of(a + b + c).to_bytes()
    assert {merge(merge(x, y), z).to_bytes(), merge(x, merge(z, y)).to_bytes(), merge(z, merge(y, x)).to_bytes()} == {
        whole
    }


@given(MONEY, st.randoms())
def test_shuffled_and_chunked_values_give_the_same_bytes(values: list[int], random: Random) -> None:
    shuffled = sorted(values, key=lambda _: random.random())
    parts = [of(shuffled[start : start + 7]) for start in range(0, len(shuffled), 7)]
    assert reduce(merge, parts, Histogram.empty()).to_bytes() == of(values).to_bytes()


@given(SMALL)
def test_small_values_are_exact(values: list[int]) -> None:
    ranks = np.arange(len(values))
    assert of(values).at_ranks(ranks).tolist() == sorted(values)


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=60))
def test_order_statistics_are_within_a_bin_of_the_sorted_values(values: list[int]) -> None:
    found = of(values).at_ranks(np.arange(len(values)))
    exact = np.sort(np.array(values, dtype=np.float64))
    assert np.all(np.abs(found - exact) <= np.abs(exact) * BIN_WIDTH)


@given(st.integers(1 - MAX_MAGNITUDE, MAX_MAGNITUDE - 1), st.integers(1, 1_000))
def test_an_atom_stays_an_atom(value: int, n: int) -> None:
    assert of([value] * n).at_ranks(np.array([0, n - 1])).tolist() == [value, value]


@given(MONEY)
def test_serialised_form_is_read_back(values: list[int]) -> None:
    assert Histogram.from_bytes(of(values).to_bytes()) == of(values)


@given(MONEY)
def test_negated_is_the_histogram_of_the_negated_values(values: list[int]) -> None:
    assert of(values).negated == of([-value for value in values])


@given(MONEY)
def test_int32_and_int64_values_fall_into_the_same_bins(values: list[int]) -> None:
    assert of(values, np.int32) == of(values)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4_000), st.integers(-5_000, 5_000))
def test_values_counted_one_by_one_fall_into_the_same_bins(counts: list[int], low: int) -> None:
    values = np.repeat(np.arange(low, low + len(counts)), counts)
    keys = np.array([key_of(value) for value in values.tolist()], np.int64)
    assert Histogram.of_counts(np.array(counts), low) == Histogram.of(values)
    assert np.array_equal(np.repeat(Histogram.of(values).keys, Histogram.of(values).counts), keys)


def key_of(value: int) -> int:
    """As the module defines it."""
    shift = max(0, abs(value).bit_length() - 11)
    return (1 if value >= 0 else -1) * (1024 * shift + (abs(value) >> shift))


def test_bins_are_at_most_a_thousandth_of_their_values_wide_and_rise_with_them() -> None:
    keys = np.arange(-30 * 1024, 30 * 1024, dtype=np.int64)
    edges = edges_of(keys)
    widths = np.diff(edges)
    assert np.all(widths > 0)
    assert np.all(widths <= np.maximum(np.minimum(np.abs(edges[:-1]), np.abs(edges[1:])) * BIN_WIDTH, 1))


def test_a_million_values_keep_a_bounded_number_of_bins() -> None:
    pnl = np.random.default_rng(1).normal(0, 300_000, 1 << 20).astype(np.int32)
    histogram = Histogram.of(pnl)
    assert (histogram.count, histogram.total) == (pnl.size, int(pnl.sum(dtype=np.int64)))
    assert histogram.keys.size < 2 * 14 * 1024


def test_a_value_too_large_names_the_bound() -> None:
    with pytest.raises(ValueError, match=str(MAX_MAGNITUDE)):
        of([MAX_MAGNITUDE])


@pytest.mark.parametrize("cut", [1, 6, 9, 11])
def test_a_serialised_form_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="cut short"):
        Histogram.from_bytes(of([5, 70_000, 70_000]).to_bytes()[:cut])


def test_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 9"):
        Histogram.from_bytes(b"\x09" + of([1]).to_bytes()[1:])
