"""What the sums over weighted paths say of an estimate."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from simulator.rare_weights import BLOCK_PATHS, LEAST_HITS, MOST_BLOCKS, Weights


def weights(mean: float, *, spread: float, paths: int = 1_024, hits: int = 100) -> Weights:
    """Of an estimate whose one path has this relative variance."""
    total = mean * paths
    norm = total * math.sqrt((spread + 1) / paths)
    return Weights(paths=paths, hits=hits, total=total, norm=norm, largest=total / hits)


def test_the_error_is_that_of_a_mean() -> None:
    found = np.random.default_rng(1).exponential(2e-5, 300)
    both = Weights(
        paths=1_000,
        hits=300,
        total=float(found.sum()),
        norm=float(np.sqrt(found @ found)),
        largest=float(found.max()),
    )
    of_each = np.concatenate([found, np.zeros(700)])
    assert both.mean == pytest.approx(of_each.mean())
    assert both.error == pytest.approx(of_each.std() / math.sqrt(1_000))
    assert both.relative_error(1_000) == pytest.approx(
        of_each.std(ddof=1) / math.sqrt(1_000) / of_each.mean(), rel=1e-9
    )


def test_sums_add_up_even_where_squares_are_no_doubles() -> None:
    one, other = weights(1e-200, spread=3.0), weights(3e-200, spread=1.0)
    both = one + other
    assert both.mean == pytest.approx(2e-200)
    assert both.norm == pytest.approx(math.hypot(one.norm / 1e-200, other.norm / 1e-200) * 1e-200)
    assert (both.paths, both.hits, both.largest) == (2_048, 200, other.largest)


PRECISE, WILD, SMALL = weights(5.7e-5, spread=2.0), weights(1e-3, spread=900.0), weights(4e-18, spread=0.3)


def test_a_pilot_that_found_far_less_than_another_misses_a_way_to_breach() -> None:
    assert SMALL.misses_some_of(PRECISE)
    assert not PRECISE.misses_some_of(SMALL)


def test_unless_the_other_may_be_anything() -> None:
    assert WILD.error > 0.9 * WILD.mean
    assert not PRECISE.misses_some_of(WILD)
    assert not SMALL.misses_some_of(WILD)


def test_or_the_difference_may_be_chance() -> None:
    assert not weights(5.0e-5, spread=2.0).misses_some_of(PRECISE)


@pytest.mark.parametrize(
    ("blocks", "relative_error", "mean", "enough"),
    [
        (3, 0.001, 1e-5, False),
        (4, 0.0099, 1e-5, True),
        (4, 0.019, 1e-5, False),
        (8, 0.019, 1e-5, True),
        (47, 0.049, 1e-5, False),
        (48, 0.049, 1e-5, True),
        (4, 0.049, 1e-11, True),
        (3, 0.049, 1e-11, False),
    ],
)
def test_how_precise_is_enough_depends_on_what_it_takes(
    blocks: int, relative_error: float, mean: float, enough: bool
) -> None:
    paths = blocks * BLOCK_PATHS
    assert weights(mean, spread=relative_error**2 * (paths - 1), paths=paths).enough is enough


def test_of_few_breaches_nothing_is_known() -> None:
    few = weights(1e-5, spread=1.0, hits=LEAST_HITS - 1)
    assert few.relative_error(10**9) == math.inf
    assert few.hopeless
    assert not few.reliable
    assert not Weights(paths=100).reliable


def test_one_path_may_not_make_up_the_figure() -> None:
    paths = MOST_BLOCKS * BLOCK_PATHS
    assert weights(1e-5, spread=1.0, paths=paths, hits=100).reliable
    assert not replace(weights(1e-5, spread=1.0, paths=paths), largest=0.06 * 1e-5 * paths).reliable
