"""The shapes that are compared with the reference hold what they claim to hold."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from tests.unit.simulator.covering import covering
from tests.unit.simulator.rule_shapes import FACTORS, may_stand_together, shapes


def test_every_two_rules_that_may_stand_together_do() -> None:
    rows = [{name: getattr(shape, name) for name in FACTORS} for shape in shapes(2)]
    for one, other in combinations(FACTORS, 2):
        held = {(row[one], row[other]) for row in rows}
        for first, second in product(FACTORS[one], FACTORS[other]):
            assert ((first, second) in held) == may_stand_together({one: first, other: second})


def test_no_shape_holds_what_may_not_stand_together() -> None:
    for shape in shapes(2):
        assert may_stand_together({name: getattr(shape, name) for name in FACTORS})


@pytest.mark.parametrize(("strength", "most"), [(2, 8), (3, 16)])
def test_few_rows_hold_all_combinations(strength: int, most: int) -> None:
    """Of five parts that are on or off there are 32 rows: a quarter is enough for pairs, half for triples."""
    factors = dict.fromkeys("abcde", (False, True))
    rows = covering(factors, lambda values: True, strength)
    assert len(rows) <= most
    for names in combinations(factors, strength):
        assert len({tuple(row[name] for name in names) for row in rows}) == 2**strength
