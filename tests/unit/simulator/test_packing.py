"""A tree in few arrays, and the tree again."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.device import Device
from simulator.kernel.compiling import unpacked
from simulator.packing import packed
from simulator.spec import Settings
from tests.unit.simulator.samples import plan_of

NUMBERS = st.one_of(
    st.integers(-(2**31), 2**31 - 1).map(np.int32),
    st.integers(0, 2**32 - 1).map(np.uint32),
    st.integers(-(2**63), 2**63 - 1).map(np.int64),
    st.floats(allow_nan=False).map(np.float64),
)
ARRAYS = st.lists(st.integers(0, 9), max_size=3).map(lambda values: np.array(values, np.int32))


class Pair(NamedTuple):
    """As the kernel's arguments: with others within, or None."""

    first: Any
    second: Any


TREES = st.recursive(st.none() | NUMBERS | ARRAYS, lambda inner: st.builds(Pair, inner, inner), max_leaves=12)


@given(tree=TREES)
def test_a_tree_is_the_same_again(tree: Any) -> None:
    layout, few = packed(tree)
    with jax.enable_x64(True):
        again = unpacked(layout, few)
    assert jax.tree.structure(again) == jax.tree.structure(tree)
    for before, after in zip(jax.tree.leaves(tree), jax.tree.leaves(again), strict=True):
        assert after.dtype == before.dtype
        assert np.array_equal(after, before)


def test_plans_of_one_shape_have_one_layout_and_few_arrays() -> None:
    one, other = (Device(plan_of(Settings(paths=100, seed=seed, horizon_days=9 + seed))).usual for seed in (1, 2))
    assert (one.layout, hash(one.layout)) == (other.layout, hash(other.layout))
    assert len(jax.tree.leaves(one.constants)) <= 6 < len(one.layout.kinds)
