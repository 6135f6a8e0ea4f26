"""The stationary bootstrap as a chain: what is still to come, how far it spreads, and how it is tilted."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from simulator import tilting
from simulator.block_tilting import HIGHEST_PRICE, LEAST_SPREAD, Chain, discounted

Float64s = npt.NDArray[np.float64]


def trades(count: int = 120, seed: int = 1) -> Float64s:
    """Trades of which each is a little like the one before."""
    noise = np.random.default_rng(seed).standard_t(5, count) * 80 + 10
    return noise + 0.3 * np.roll(noise, 1)


def chain(pnl: Float64s, *, length: float, trades_a_day: int = 0) -> Chain:
    """In blocks of so many trades on average, days of so many trades or of a fixed number."""
    ends = np.arange(pnl.size) % trades_a_day == trades_a_day - 1 if trades_a_day else None
    return Chain(pnl=pnl, ends=ends, restarts=1 / length)


@pytest.mark.parametrize(("count", "stays"), [(1, 0.5), (6, 0.75), (7, 0.0), (50, 0.99)])
def test_a_block_is_discounted_wrapping_round(count: int, stays: float) -> None:
    values = trades(count)
    long = [sum(stays**k * values[(index + k) % count] for k in range(3_000)) for index in range(count)]
    assert discounted(values, stays) == pytest.approx(long)


@pytest.mark.parametrize("length", [1, 2, 15])
def test_the_spread_is_that_of_the_stationary_bootstrap(length: int) -> None:
    """1 + 2 Σ (1 - p)^k ρ(k), ρ being the circular autocorrelations of the history (Politis & Romano 1994, lemma 1)."""
    pnl = trades()
    centred = pnl - pnl.mean()
    lags = [(1 - 1 / length) ** k * (centred @ np.roll(centred, -k)) for k in range(1, 2_000)]
    assert chain(pnl, length=length).spread == pytest.approx(1 + 2 * math.fsum(lags) / (centred @ centred))


def test_blocks_that_cancel_out_spread_a_little_all_the_same() -> None:
    assert chain(np.array([1.0, -1.0] * 20), length=1_000).spread == LEAST_SPREAD


@pytest.mark.parametrize(("length", "trades_a_day"), [(1, 0), (1, 4), (3, 0), (3, 4), (8, 2)])
def test_a_weight_depends_on_where_a_path_got_to_and_on_its_days(length: float, trades_a_day: int) -> None:
    """Every step from i to j has the ratio exp(-θ x(j) - ψ d(j)) h(j) / h(i), over λ without days, whether a block
    begins or goes on: so along a path the h cancel out.
    """
    pnl, strength = trades(), 0.003
    tilted = chain(pnl, length=length, trades_a_day=trades_a_day)
    exponents, restarts = tilted.tilted(strength)
    h, anew = -np.log(restarts), np.log(restarts / tilted.restarts)
    drawn = exponents - np.log(np.exp(exponents).mean())
    step = anew[:, None] + drawn[None, :] + h[:, None] - h[None, :] + strength * pnl[None, :]  # -ψ d(j) - log λ
    assert np.ptp(step, axis=0) == pytest.approx(np.zeros(pnl.size), abs=1e-9)
    ends = np.zeros(pnl.size, bool) if tilted.ends is None else tilted.ends
    for which, expected in ((~ends, 0.0 if trades_a_day else None), (ends, None)):
        if which.any():
            of_these = step[0, which]
            assert of_these == pytest.approx(np.full(of_these.size, of_these[0] if expected is None else 0), abs=0.01)
    if length > 1:
        on = np.log((1 - restarts) / (1 - tilted.restarts)) + h - np.roll(h, -1) + strength * np.roll(pnl, -1)
        assert on == pytest.approx(np.roll(step[0], -1), abs=0.01)


def test_independent_trades_are_tilted_as_such() -> None:
    pnl = trades()
    exponents, restarts = chain(pnl, length=1).tilted(0.02)
    assert exponents - exponents[0] == pytest.approx(-0.02 * (pnl - pnl[0]))
    assert restarts == pytest.approx(np.ones(pnl.size))


def test_a_day_under_the_strength_brings_a_path_as_low_as_is_asked_for() -> None:
    """Days of 1 to 9 trades or so, by chance: longer ones when tilted."""
    pnl, fall = trades(900), 400.0
    tilted = chain(pnl, length=1, trades_a_day=3)
    exponents, _ = tilted.tilted(tilted.strength(fall))
    assert tilted.ends is not None
    shares = np.exp(exponents) / np.exp(exponents).sum()
    assert (shares @ pnl) / shares[tilted.ends].sum() == pytest.approx(-fall, rel=0.01)
    assert shares[tilted.ends].sum() < 1 / 3


def test_trades_are_counted_where_days_are_fixed() -> None:
    pnl = trades()
    assert chain(pnl, length=1).strength(50.0) == pytest.approx(tilting.strength(pnl, 50.0))
    assert chain(pnl, length=1).steepest == tilting.steepest(pnl)


def test_the_steepest_tilt_is_that_under_which_a_day_goes_on_until_it_has_fallen() -> None:
    """Up with 0.5, down with 0.4, else the day ends, though it would go on with half of either: 0.5 / y + 0.4 y = 1."""
    pnl = np.array([1.0] * 11 + [-1.0] * 9)
    ends = np.zeros(20, bool)
    ends[[0, 11]] = True
    up, down = 10 / 20, 8 / 20
    y = (1 + math.sqrt(1 - 4 * up * down)) / (2 * down)
    tilted = Chain(pnl=pnl, ends=ends, restarts=1.0)
    assert tilted.steepest == pytest.approx(math.log(y), rel=0.002)
    assert tilted.strength(1e6) == pytest.approx(tilted.steepest, rel=0.002)
    assert Chain(pnl=pnl, ends=np.ones(20, bool), restarts=1.0).steepest == pytest.approx(
        tilting.steepest(pnl), rel=0.01
    )


def test_too_steep_a_tilt_is_still_one() -> None:
    """No price of a day makes up for trades that only lose."""
    pnl = np.array([-50.0, 20.0, -40.0, 30.0])
    tilted = Chain(pnl=pnl, ends=np.array([False, False, False, True]), restarts=0.5)
    exponents, restarts = tilted.tilted(1.0)
    assert np.isfinite(exponents).all()
    assert ((restarts > 0) & (restarts <= 1)).all()
    assert exponents[3] < exponents.max() - HIGHEST_PRICE
