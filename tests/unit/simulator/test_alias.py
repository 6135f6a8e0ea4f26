"""The table that weighted draws come from."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.alias import Alias, alias

TWO_32 = 1 << 32


def drawn(table: Alias) -> npt.NDArray[np.float64]:
    """How often each index comes."""
    found = np.zeros(table.cut.size)
    for index, (cut, other) in enumerate(zip(table.cut.tolist(), table.other.tolist(), strict=True)):
        found[index] += cut / TWO_32 / found.size
        found[other] += (1 - cut / TWO_32) / found.size
    return found


@given(exponents=st.lists(st.floats(-60, 60), min_size=1, max_size=40))
@example(exponents=[0.0] * 7)
@example(exponents=[math.log(each) for each in (0.5, 0.5, 1, 1, 2)])
@example(exponents=[math.log(each) for each in (1, 0.75, 1.25, 0.1, 1, 0.9, 2)])
@example(exponents=[-50.0] * 30 + [0.0])
def test_it_draws_with_the_weights(exponents: list[float]) -> None:
    wanted = np.exp(exponents)
    table = alias(wanted)
    found = drawn(table)
    assert found == pytest.approx(wanted / wanted.sum(), abs=found.size * 2.0**-31)
    assert table.ratio == pytest.approx(found * found.size, rel=1e-12)


def test_what_has_no_weight_is_never_drawn() -> None:
    table = alias(np.array([0.0, 3.0, 0.0, 1.0]))
    assert drawn(table).tolist() == [0.0, 0.75, 0.0, 0.25]
    assert table.ratio.tolist() == [0.0, 3.0, 0.0, 1.0]


def test_one_that_gave_too_much_is_topped_up_in_turn() -> None:
    """1.2 gives 0.9 to the first, so that it keeps 0.3, and gets the rest from the next."""
    table = alias(np.array([0.1, 0.2, 1.2, 2.5]))
    assert table.other.tolist() == [2, 3, 3, 3]
    assert table.cut / TWO_32 == pytest.approx([0.1, 0.2, 0.3, 1])


def test_the_ratios_are_those_of_the_table_and_not_of_the_formula() -> None:
    """Their mean over uniform draws is 1 to the last bit or so: the estimate is unbiased whatever the rounding."""
    table = alias(np.exp(-0.7 * np.array([3.0, -1.0, -2.0, 5.0, 0.0])))
    assert math.fsum(table.ratio) == pytest.approx(5, abs=1e-14)
