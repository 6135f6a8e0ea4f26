"""The least of stretches of neighbours, against looking at each."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator import stretches


@given(data=st.data(), values=st.lists(st.integers(-9, 9), min_size=1, max_size=70))
def test_each_stretch_has_its_least(data: st.DataObject, values: list[int]) -> None:
    first = range(data.draw(st.integers(1, len(values))))
    lengths = [data.draw(st.integers(1, len(values) - index)) for index in first]
    found = stretches.least(np.array(values, np.float64), np.array(lengths))
    assert found.tolist() == [min(values[index : index + lengths[index]]) for index in first]
