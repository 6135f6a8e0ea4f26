"""Shares on the device against whole numbers of Python, at the ends of what they may be."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.growth import MOST_DEPOSITS
from simulator.kernel import shares
from simulator.levels import MILLION, Share
from simulator.spec import REACH

PPM = st.integers(1, MILLION)
ANY_PPM = PPM | st.integers(1, 10 * MILLION) | st.just(10 * MILLION)
LEVELS = st.integers(-REACH, REACH) | st.sampled_from([-REACH, -1, 0, 1, REACH])
PRESENT = st.integers(1, 10**15) | st.integers(1, 10**8)
NEAR = st.integers(-2, 2)


def share_of(ppm: int, present: int, at_floor: int) -> Share:
    """As `loading_rules` makes it."""
    whole, rest = divmod(ppm * present, MILLION)
    return Share(*(jnp.float64(each) for each in (ppm, whole - at_floor, rest + at_floor * (MILLION - 1))))


@given(
    ppm=ANY_PPM,
    present=PRESENT,
    level=LEVELS,
    deposited=st.just(0) | st.integers(0, MOST_DEPOSITS),
    at_floor=st.integers(0, 1),
    off=NEAR | LEVELS,
)
def test_below_the_floor_at_a_share_of_a_level(
    ppm: int, present: int, level: int, deposited: int, at_floor: int, off: int
) -> None:
    """`level` and what is held count from `present`; a share of the level's balance below it is the floor."""
    lost = ppm * (level + deposited + present)
    floor = level - (-(-lost // MILLION)) + 1 if at_floor else level - lost // MILLION
    held = max(-REACH, min(REACH, floor + off))
    breaches = (level - held) * MILLION >= lost if at_floor else (level - held) * MILLION > lost
    with jax.enable_x64(True):
        share = share_of(ppm, present, at_floor)
        numbers = (jnp.int32(level), jnp.int32(deposited), jnp.int32(held))
        found = bool(shares.below(share, *numbers))
        exclusive = int(shares.floor_below(share, *numbers[:2]))
    assert found == breaches
    assert (held < exclusive) == breaches


@given(st.lists(st.integers(-(2**31) + 1, 2**31 - 1), min_size=1))
def test_whole_numbers_become_integers(numbers: list[int]) -> None:
    with jax.enable_x64(True):
        found = np.asarray(shares.whole(jnp.array(numbers, jnp.float64)))
    assert found.tolist() == numbers


@given(amounts=st.lists(LEVELS, min_size=1), ppm=PPM)
def test_a_part_is_rounded_down(amounts: list[int], ppm: int) -> None:
    with jax.enable_x64(True):
        found = np.asarray(jax.jit(shares.part)(jnp.array(amounts, jnp.int32), jnp.int32(ppm)))
    assert found.tolist() == [amount * ppm // MILLION for amount in amounts]
