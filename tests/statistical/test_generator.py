"""The generator, laid out as the engine uses it: key from the seed and the path's upper half, counter (path, pair).

Its published vectors of 13 and 20 rounds are in tests/unit/simulator/test_rng.py; here are those of 32, an independent
implementation, and a battery of statistical tests.

False alarms: all seeds are fixed. A right generator fails one run of the battery with probability 1e-6 (half for any
p-value too near 0 or 1, by Bonferroni, half for all of them together, by Kolmogorov & Smirnov). That the battery is
strict enough is shown on generators and layouts that are wrong; that it is not too strict, on another right one.
"""

from __future__ import annotations

from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32
from scipy import stats

from simulator import rng
from tests.statistical.battery import BATTERY, judge, p_values
from tests.statistical.key_tests import flips
from tests.statistical.stream import Draw, Stream, U32s

FALSE_ALARM_RATE = 1e-6
PAIRS = 1 << 19
FEW_PAIRS = 1 << 17
ONES = 0xFFFFFFFF
PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)


def threefry(rounds: int) -> Draw:
    """The engine's layout, with so many rounds."""

    def draw(seed: int, high: int, low: U32s, pair: U32s) -> tuple[U32s, U32s]:
        key = rng.path_key(seed, high)
        return rng.threefry2x32((key[:1], key[1:]), (low, pair), rounds)

    return draw


ENGINE = threefry(rng.ROUNDS)

# The authors' vectors (Random123, tests/kat_vectors), and another implementation.


@pytest.mark.parametrize(
    ("counter", "key", "published"),
    [
        ((0, 0), (0, 0), (0xCEE3D47E, 0xA23DFD5C)),
        ((ONES, ONES), (ONES, ONES), (0x6E2FE0D0, 0xB1B76F82)),
        (PI[:2], PI[2:], (0xE2827716, 0xC3C05CDF)),
    ],
)
def test_32_rounds_give_the_published_words(
    counter: tuple[int, int], key: tuple[int, int], published: tuple[int, int]
) -> None:
    c, k = np.array(counter, np.uint32), np.array(key, np.uint32)
    first, second = rng.threefry2x32((k[:1], k[1:]), (c[:1], c[1:]), rounds=32)
    assert (int(first[0]), int(second[0])) == published


def test_20_rounds_agree_with_jax_for_many_keys_and_counters() -> None:
    inputs = np.random.default_rng(1).integers(0, 1 << 32, (64, 3), dtype=np.uint32)
    steps = np.arange(1_000, dtype=np.uint32)
    for k0, k1, path in inputs:
        paths = np.full(steps.size, path)
        found = rng.threefry2x32((np.full(1, k0), np.full(1, k1)), (paths, steps), rounds=20)
        expected = threefry_2x32((jnp.uint32(k0), jnp.uint32(k1)), jnp.concatenate([paths, steps]))
        assert np.concatenate(found).tolist() == np.asarray(expected).tolist()


# The battery.


def test_the_engines_words_pass_the_battery() -> None:
    verdict = judge(p_values(ENGINE, seed=1, pairs=PAIRS), false_alarm_rate=FALSE_ALARM_RATE)
    assert not verdict.rejected
    assert verdict.uniform


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_engines_words_pass_a_larger_battery() -> None:
    verdict = judge(p_values(ENGINE, seed=2, pairs=1 << 21), false_alarm_rate=FALSE_ALARM_RATE)
    assert not verdict.rejected
    assert verdict.uniform


@pytest.mark.parametrize(("name", "bits"), [("seed", 64), ("path", 32), ("upper half", 32), ("pair", 32)])
def test_one_bit_of_the_input_flips_half_of_the_output(name: str, bits: int) -> None:
    """2^20 pairs of words: the share of flips of all bits has a standard error of 6e-5, each
    of them one of 2.8e-3 or 4e-3; each within 6.5 (false-alarm rate of all 10,244 below 1e-6)."""
    stream = Stream(draw=ENGINE, seed=77, pairs=1 << 20)
    shares = flips(stream, name, bits)
    assert abs(shares.mean() - 0.5) < 6.5 / 2 / np.sqrt(stream.pairs * 64)
    assert np.abs(shares - 0.5).max() < 6.5 / 2 / np.sqrt(stream.pairs / bits)


# What is wrong is found.


def counter_congruence(seed: int, high: int, low: U32s, pair: U32s) -> tuple[U32s, U32s]:
    """Knuth's 64-bit linear congruence of the counter."""
    counter = (low.astype(np.uint64) << np.uint64(32)) + pair + np.uint64((seed + (high << 20)) & (2**64 - 1))
    state = counter * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
    return (state >> np.uint64(32)).astype(np.uint32), state.astype(np.uint32)


def no_lowest_bit(seed: int, high: int, low: U32s, pair: U32s) -> tuple[U32s, U32s]:
    """As many libraries' 31 bits are."""
    first, second = ENGINE(seed, high, low, pair)
    return first & np.uint32(0xFFFFFFFE), second & np.uint32(0xFFFFFFFE)


def seed_added_to_the_path(seed: int, high: int, low: U32s, pair: U32s) -> tuple[U32s, U32s]:
    """The next seed has the same paths, one further on."""
    return ENGINE(0, high, low + np.uint32(seed & ONES), pair)


def upper_half_left_out(seed: int, high: int, low: U32s, pair: U32s) -> tuple[U32s, U32s]:
    return ENGINE(seed, 0, low, pair)


def upper_half_added_to_the_seed(seed: int, high: int, low: U32s, pair: U32s) -> tuple[U32s, U32s]:
    return ENGINE(seed ^ (high << 32), 0, low, pair)


def half_of_the_seed_left_out(seed: int, high: int, low: U32s, pair: U32s) -> tuple[U32s, U32s]:
    return ENGINE(seed & ONES, high, low, pair)


def steps_wrap_at_16_bits(seed: int, high: int, low: U32s, pair: U32s) -> tuple[U32s, U32s]:
    return ENGINE(seed, high, low, pair & np.uint32(0xFFFF))


def sides_that_stick(seed: int, high: int, low: U32s, pair: U32s) -> tuple[U32s, U32s]:
    """Of 16 second words, one keeps the side of the median on which the first word is."""
    first, second = ENGINE(seed, high, low, pair)
    kept = second & np.uint32(0x7FFFFFFF) | first & np.uint32(0x80000000)
    return first, np.where(second % 16 == 0, kept, second)


def slightly_uneven(seed: int, high: int, low: U32s, pair: U32s) -> tuple[U32s, U32s]:
    """One word in 16 is drawn from the lower half alone."""
    first, second = ENGINE(seed, high, low, pair)
    return np.where(first % 16 == 0, first >> np.uint32(1), first), second


WRONG: dict[str, tuple[Draw, set[str]]] = {
    "two rounds": (threefry(2), {"gaps, along a path", "matrix ranks, across paths", "avalanche of the path"}),
    "four rounds": (threefry(4), {"birthday spacings, along a path", "neighbouring seeds", "avalanche of the seed"}),
    "eight rounds": (threefry(8), {"avalanche of the path"}),
    "congruence": (counter_congruence, {"correlation of steps", "pairs of paths", "differences of neighbouring seeds"}),
    "31 bits": (no_lowest_bit, {"balance of bits", "first word, 8 bits from bit 0", "matrix ranks, along a path"}),
    "seed added to the path": (seed_added_to_the_path, {"differences of neighbouring seeds, a path back"}),
    "upper half left out": (upper_half_left_out, {"paths 2^32 to 2^63 apart", "differences of paths 2^32 apart"}),
    "upper half added": (upper_half_added_to_the_seed, {"differences of seeds 2^32 apart, paths 2^32 back"}),
    "half a seed": (half_of_the_seed_left_out, {"avalanche of the seed"}),
    "16-bit steps": (steps_wrap_at_16_bits, {"avalanche of the step"}),
    "sides that stick": (sides_that_stick, {"correlation of steps", "runs about the median, along a path"}),
    "slightly uneven": (slightly_uneven, {"first word, 8 bits from bit 24", "balance of bits"}),
}


@cache
def rejected(name: str) -> frozenset[str]:
    """The tests that reject this wrong generator."""
    draw, _ = WRONG[name]
    return frozenset(judge(p_values(draw, seed=1, pairs=FEW_PAIRS), false_alarm_rate=FALSE_ALARM_RATE).rejected)


SHOWN_EACH_TIME = {"two rounds", "four rounds", "eight rounds", "congruence"}


@pytest.mark.parametrize(
    "name", [name if name in SHOWN_EACH_TIME else pytest.param(name, marks=pytest.mark.slow) for name in WRONG]
)
def test_the_battery_rejects_what_is_wrong_by_the_test_that_looks_for_it(name: str) -> None:
    assert WRONG[name][1] <= rejected(name)


@pytest.mark.slow
def test_every_test_of_the_battery_rejects_some_wrong_generator() -> None:
    """No test is there for show."""
    assert set().union(*(rejected(name) for name in WRONG)) == set(BATTERY)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_batterys_p_values_are_uniform_for_another_right_generator() -> None:
    """PCG64, anew for each call. False-alarm rate 1e-6: 48 tests at half of it, all 1,920 p-values at the other."""
    calls = np.random.default_rng(20260)

    def right(seed: int, high: int, low: U32s, pair: U32s) -> tuple[U32s, U32s]:
        shape = np.broadcast_shapes(low.shape, pair.shape)
        first, second = calls.integers(0, 1 << 32, (2, *shape), dtype=np.uint32)
        return first, second

    tables = [p_values(right, seed=each, pairs=FEW_PAIRS) for each in range(40)]
    for name in BATTERY:
        found = [table[name] for table in tables]
        assert stats.kstest(found, "uniform").pvalue > FALSE_ALARM_RATE / 2 / len(BATTERY), name
    everything = [p for table in tables for p in table.values()]
    assert stats.kstest(everything, "uniform").pvalue > FALSE_ALARM_RATE / 2
