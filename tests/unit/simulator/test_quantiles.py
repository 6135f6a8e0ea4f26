"""The table of a fitted distribution: how near it is to the quantiles, that reading it is exact, and its tails."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from simulator import loading, quantiles
from simulator.fit import Fit
from simulator.kernel import curve
from simulator.quantiles import Quantiles
from simulator.spec import REACH, Stress

CALM = Stress()
NORMAL = Fit(location=125.5, scale=9_000.25)
FITS = [NORMAL, *(Fit(location=-80.0, scale=7_000.0, freedom=each) for each in (2.1, 3.0, 4.0, 12.5, 1_000.0))]
ENDS = np.array([0, 1, 2, 3, 63, 64, 127, 128, 2**31 - 1, 2**31, 2**32 - 65, 2**32 - 2, 2**32 - 1], np.uint32)


def some_words(count: int) -> npt.NDArray[np.uint32]:
    """The ends, words of every octave, and words from all over."""
    generator = np.random.default_rng(5)
    octaves = np.concatenate([generator.integers(1 << k, 2 << k, 50) for k in range(32)]).astype(np.uint32)
    return np.concatenate([ENDS, octaves, ~octaves, generator.integers(0, 2**32, count).astype(np.uint32)])


def read(table: Quantiles, words: npt.NDArray[np.uint32]) -> npt.NDArray[np.int32]:
    """The amounts, as the kernel reads them."""
    loaded = loading._curve(table)
    assert loaded is not None
    with jax.enable_x64(True):
        return np.asarray(curve.read(loaded, jnp.asarray(words)))


def exact_quantiles(fit: Fit, words: npt.NDArray[np.uint32]) -> npt.NDArray[np.float64]:
    """The quantiles at (w + 1/2) / 2^32, each by its nearer end."""
    upper = words >= 2**31
    distance = (np.where(upper, ~words, words).astype(np.float64) + 0.5) / 2**32
    found = stats.norm.ppf(distance) if fit.freedom is None else stats.t.ppf(distance, fit.freedom)
    return np.asarray(fit.location + fit.scale * np.where(upper, -found, found))


@pytest.mark.parametrize("fit", FITS, ids=str)
def test_amounts_are_within_the_stated_distance_of_the_quantiles(fit: Fit) -> None:
    words, table = some_words(200_000), quantiles.build(fit, CALM, 0.0)
    expected = exact_quantiles(fit, words)
    allowed = 4e-5 * np.maximum(np.abs(expected - fit.location), fit.scale) + 0.5 + 2.0 ** -(table.digits + 1)
    assert (np.abs(read(table, words) - expected) <= allowed).all()


@pytest.mark.parametrize("fit", FITS, ids=str)
def test_a_word_is_read_as_the_table_is_defined(fit: Fit) -> None:
    """In plain fractions, as the module says."""
    table = quantiles.build(fit, CALM, 0.0)
    words = some_words(500)
    for word, amount in zip(words.tolist(), read(table, words).tolist(), strict=True):
        upper = word >= 2**31
        odd = 2 * ((2**32 - 1 - word) if upper else word) + 1
        octave = odd.bit_length() - 1
        place = odd << (31 - octave)
        cell = quantiles.CELLS * upper + 64 * octave + (place >> 25) % 64
        value = int(table.values[cell]) + int(table.changes[cell]) * Fraction(place % 2**25, 2**25)
        assert amount == floor(value / 2**table.digits + Fraction(1, 2))


@pytest.mark.parametrize("stress", [CALM, Stress(volatility_factor=2.5, loss_factor=3.0, cost_minor=700)], ids=str)
@pytest.mark.parametrize("fit", FITS, ids=str)
def test_a_larger_word_is_no_smaller_amount(fit: Fit, stress: Stress) -> None:
    words = np.sort(some_words(20_000))
    assert (np.diff(read(quantiles.build(fit, stress, 40.0), words)) >= 0).all()


def test_an_amount_and_its_mirror_are_as_far_from_the_location() -> None:
    fit = Fit(location=0.0, scale=5_000.5, freedom=3.0)
    words = some_words(5_000)
    table = quantiles.build(fit, CALM, 0.0)
    assert np.abs(read(table, words) + read(table, ~words)).max() <= 1


def test_stress_is_on_the_quantiles() -> None:
    stress = Stress(volatility_factor=1.5, loss_factor=2.0, cost_minor=300)
    words = some_words(100_000)
    mean = 95.0
    exact = mean + 1.5 * (exact_quantiles(NORMAL, words) - mean)
    expected = np.where(exact < 0, 2 * exact, exact) - 300
    kink = 64**-1 * NORMAL.scale
    allowed = 4e-5 * np.maximum(np.abs(expected), 3 * NORMAL.scale) + 0.51 + np.where(np.abs(exact) < kink, kink, 0)
    assert (np.abs(read(quantiles.build(NORMAL, stress, mean), words) - expected) <= allowed).all()


def test_amounts_are_cut_at_reach() -> None:
    table = quantiles.build(Fit(location=0.0, scale=REACH / 10, freedom=2.5), CALM, 0.0)
    assert read(table, ENDS)[[0, -1]].tolist() == [-REACH, REACH]
    assert np.abs(read(table, some_words(20_000)).astype(np.int64)).max() == REACH


def test_a_constant_is_drawn_where_there_is_no_scale() -> None:
    table = quantiles.build(Fit(location=12.0, scale=0.0, freedom=3.0), CALM, 12.0)
    assert set(read(table, some_words(500)).tolist()) == {12}


@pytest.mark.parametrize(
    ("fit", "confidence", "value_at_risk", "shortfall"),
    [
        (Fit(location=0.0, scale=1e5), 0.99, 2.326348, 2.665214),
        (Fit(location=0.0, scale=1e5), 0.975, 1.959964, 2.337803),
        (Fit(location=0.0, scale=1e5, freedom=4.0), 0.99, 3.746947, 5.220584),
    ],
)
def test_tails_of_the_table_are_those_of_the_distribution(
    fit: Fit, confidence: float, value_at_risk: float, shortfall: float
) -> None:
    """Over 2^24 words evenly spaced in the tail, that of t(4) included to 2^-33: no chance is in it.

    What is beyond the outermost word is 2^-33 of the tail's probability, and less than 1e-6 of its mean.
    """
    tail = np.linspace(0, (1 - confidence) * 2**32, 2**22, endpoint=False).astype(np.uint32)
    losses = -read(quantiles.build(fit, CALM, 0.0), tail) / fit.scale
    assert losses.min() == pytest.approx(value_at_risk, rel=2e-5)
    assert losses.mean() == pytest.approx(shortfall, rel=5e-5)


def test_nodes_of_the_normal_are_the_same_on_every_machine() -> None:
    """No node, in the finest digits, is so near a tie that the last bit of a logarithm could turn its rounding."""
    away = quantiles.nodes(Fit(location=0.0, scale=1.0), CALM, 0.0)[1]
    scaled = np.ldexp(away, 27)
    assert np.abs(scaled - np.floor(scaled) - 0.5).min() > 1e-6


@pytest.mark.parametrize("fit", FITS, ids=str)
def test_the_range_is_what_the_first_and_the_last_word_are_read_as(fit: Fit) -> None:
    table = quantiles.build(fit, CALM, 0.0)
    assert table.range_minor == tuple(read(table, np.array([0, 2**32 - 1], np.uint32)).tolist())
