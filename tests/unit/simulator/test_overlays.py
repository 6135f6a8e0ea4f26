"""What is laid over a drawn trade, against whole numbers of Python."""

from __future__ import annotations

from fractions import Fraction

import jax
import jax.numpy as jnp
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.kernel.overlays import Traded, with_steps
from simulator.spec import REACH
from simulator.tables import Step

MOST = 10_000_000
"""Millionths of one step, at most; the account's limits then keep its trades smaller."""
HALVES = (1, 4, 20, 500_000, 900_004, 62_500, 999_999, 1_000_000, 2_500_000, MOST)
"""Millionths of which many multiples lie half way between two whole numbers, and some others."""


@given(amount=st.integers(-REACH, REACH), share=st.sampled_from(HALVES) | st.integers(1, MOST))
@example(amount=500_000, share=1)
@example(amount=1_500_000, share=1)
@example(amount=REACH - 1, share=500_000)
@example(amount=1 - REACH, share=500_000)
@example(amount=125_000, share=4)
def test_a_step_of_scaling_is_rounded_half_to_even(amount: int, share: int) -> None:
    amount //= max(1, share // 1_000_000)
    with jax.enable_x64(True):
        found = with_steps(Step(share=jnp.int32(share)), Traded(pnl=jnp.int32(amount)))
        assert found.step_pnl is not None
        assert int(found.step_pnl) == round(Fraction(amount * share, 1_000_000))
    assert found.step_low is None
