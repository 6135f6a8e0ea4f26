"""The fan's bands: the order statistics that the quantiles and their intervals are, and nothing else."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from simulator import estimate
from simulator.bands import LEVELS, Bands

DAYS = 4


def bands_of(paths: int) -> tuple[Bands, np.ndarray]:
    balances = np.random.default_rng(paths).integers(-(2**30), 2**30, (DAYS, paths)).astype(np.int32)
    found = Bands.of(balances)
    assert found is not None
    return found, balances


@pytest.mark.parametrize("paths", [1, 7, 400, 4_096])
def test_each_band_is_an_order_statistic_of_its_day(paths: int) -> None:
    found, balances = bands_of(paths)
    for day in range(DAYS):
        ordered = sorted(balances[day].tolist())
        for place, level in enumerate(LEVELS):
            ranks = estimate.order_ranks(paths, level)
            expected = [ordered[min(max(rank, 1), paths) - 1] for rank in ranks]
            assert found.values[day, place].tolist() == expected


def test_an_end_beyond_the_sample_is_not_known() -> None:
    few, _ = bands_of(7)
    many, _ = bands_of(4_096)
    assert few.bounds_known.tolist() == [[False, True], [False, True], [True, True], [True, False], [True, False]]
    assert many.bounds_known.all()


def test_serialised_form_is_read_back() -> None:
    found, _ = bands_of(400)
    assert Bands.from_bytes(found.to_bytes()) == found
    with pytest.raises(struct.error):
        Bands.from_bytes(found.to_bytes()[:-1])


def test_no_paths_and_no_days_have_no_bands() -> None:
    assert Bands.of(np.zeros((3, 0), np.int32)) is None
    assert Bands.of(np.zeros((0, 3), np.int32)) is None
