"""Lanes that are moved: nothing is lost, nothing is there twice, and no lane comes from a tile that is gone."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.kernel import lanes

LANES, TILE = 32, 4
ORDERS = [jax.jit(each) for each in (lanes.living_first, lanes._one_by_one, lanes._side_by_side)]
closed_up = jax.jit(lanes.closed_up, static_argnums=3)
kept = jax.jit(lanes.kept, static_argnames="width")
one_by_one = jax.jit(lambda archive, held, place, count, width: lanes._placed_one_by_one(archive, held, place, count))
KEEPERS = [kept, one_by_one, jax.jit(lanes._placed_by_tile, static_argnames="width")]
LIVING = st.lists(st.booleans(), min_size=LANES, max_size=LANES).map(np.array)
COUNTS = st.integers(1, LANES // TILE).map(lambda tiles: tiles * TILE)


@pytest.mark.parametrize("order", ORDERS, ids=["as chosen", "one by one", "side by side"])
@given(living=LIVING, count=COUNTS)
def test_the_living_come_first_and_the_others_from_the_last(
    order: object, living: npt.NDArray[np.bool_], count: int
) -> None:
    assert callable(order)
    found = np.asarray(order(jnp.asarray(living), jnp.int32(count)))[:count].tolist()
    here = living[:count]
    assert found == [*np.flatnonzero(here), *reversed(np.flatnonzero(~here))]


@given(living=LIVING, count=COUNTS)
def test_lanes_are_closed_up_in_place(living: npt.NDArray[np.bool_], count: int) -> None:
    """Where the living fit half the tiles, as the kernel does it."""
    living[np.flatnonzero(living[:count])[count // TILE // 2 * TILE :]] = False
    needed = -(-int(living[:count].sum()) // TILE) * TILE
    before = {"a": jnp.arange(LANES), "b": jnp.arange(LANES) * 10, "shared": jnp.int32(7)}
    order = ORDERS[0](jnp.asarray(living), jnp.int32(count))
    after = closed_up(before, order, jnp.int32(needed), TILE)
    held = np.asarray(after["a"])[:needed]
    assert set(np.flatnonzero(living[:count])) <= set(held.tolist())
    assert len(set(held.tolist())) == needed
    assert np.asarray(after["b"])[:needed].tolist() == (held * 10).tolist()
    assert int(after["shared"]) == 7


@pytest.mark.parametrize("keep", KEEPERS, ids=["as chosen", "one by one", "by tile"])
@given(data=st.data(), count=COUNTS)
def test_what_lanes_held_is_kept_by_its_place(keep: object, data: st.DataObject, count: int) -> None:
    assert callable(keep)
    place = np.array(data.draw(st.permutations(range(LANES))), np.int32)
    archive, held = jnp.full(LANES, -1), jnp.arange(LANES) + 100
    wanted = np.full(LANES, -1)
    wanted[place[:count]] = np.arange(count) + 100
    found, held_there = keep(archive, held, jnp.asarray(place), jnp.int32(count), width=TILE)
    assert np.asarray(found).tolist() == wanted.tolist()
    assert held_there == count


@given(count=COUNTS)
def test_what_lanes_held_that_were_never_moved_is_copied(count: int) -> None:
    found, held_there = kept(jnp.full(LANES, -1), jnp.arange(LANES), None, jnp.int32(count), width=TILE)
    assert np.asarray(found).tolist() == [*range(count), *[-1] * (LANES - count)]
    assert held_there == count
