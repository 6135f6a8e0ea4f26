"""The 95% interval of an expected shortfall holds it in 92% to 98% of samples, of few values and heavy tails as well.

1,000 samples of each law and size; see `tests.unit.simulator.coverage` for how sure that is.
"""

from __future__ import annotations

import pytest

from scripts.methodology.shortfalls import LAWS, LEVELS, SIZES, coverage, cut_off
from tests.unit.simulator.coverage import assert_nominal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("law", LAWS)
def test_intervals_of_expected_shortfalls_cover_nominally(law: str, size: int, level: float) -> None:
    assert_nominal(coverage(law)[size, level], f"{level:.0%} expected shortfall of {size} values, {law},")


@pytest.mark.parametrize(("size", "level", "share"), [(1_000, 0.95, 0.04), (2_000, 0.95, 0.04), (5_000, 0.99, 0.008)])
def test_intervals_cover_where_most_of_the_tail_is_at_a_floor(size: int, level: float, share: float) -> None:
    """Many a sample has nothing else in its tail, and then no loss exceeds the value at risk."""
    assert_nominal(cut_off(size, level, share))
