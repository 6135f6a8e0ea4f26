"""Tests of words by themselves, of the index drawn with one, and of words that follow each other.

Each takes a stream, or words of one, and yields the upper tail of its statistic.
"""

from __future__ import annotations

from math import factorial, sqrt

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from simulator.kernel.models import GOLDEN, multiply_high
from tests.statistical.stream import (
    TWO_32,
    Counts,
    Stream,
    U32s,
    bit_of,
    chi_square,
    correlation,
    even,
    sum_of_squares,
)  # fmt: skip


def equidistribution(word: int, bits: int, lowest: int, stream: Stream) -> float:
    """These bits of the first or second word take each of their values alike."""
    words = stream.block(256)[word]
    return even(words >> np.uint32(lowest) & np.uint32((1 << bits) - 1), 1 << bits)


def bit_balance(stream: Stream) -> float:
    """Each of the 64 bits is set half of the time."""
    ones = np.array([bit_of(word, bit).sum() for word in stream.block(64) for bit in range(32)])
    return sum_of_squares((ones - stream.pairs / 2) / sqrt(stream.pairs / 4))


def index(n: int, stream: Stream) -> float:
    """The engine's index of n trades is uniform, and independent of the one before it."""
    picked = _index(stream.along_a_path(), n)
    if n > 100:
        return even(picked, n)
    return even(picked[::2] * n + picked[1::2], n * n)


def index_and_remainder(n: int, stream: Stream) -> float:
    """The lower half of word x n, which ends days, is uniform for each index."""
    with jax.enable_x64(True):
        picked, remainder = multiply_high(jnp.asarray(stream.along_a_path()), jnp.uint32(n))
    return even(np.asarray(picked).astype(np.int64) * 16 + (np.asarray(remainder) >> np.uint32(28)), 16 * n)


def amount_and_end_of_day(stream: Stream) -> float:
    """A fitted model's amount follows its word, and its day ends by a multiple of it: each as if drawn by itself."""
    word = stream.along_a_path()
    return even((word >> np.uint32(26) << np.uint32(6)) + (word * np.uint32(GOLDEN) >> np.uint32(26)), 1 << 12)


def _index(words: U32s, n: int) -> Counts:
    with jax.enable_x64(True):
        picked, _ = multiply_high(jnp.asarray(words), jnp.uint32(n))
    found: Counts = np.asarray(picked).astype(np.int64)
    return found


# Words that follow each other.


def serial_correlation(stream: Stream) -> float:
    """Steps of a path are uncorrelated at lags 1 to 16."""
    words = stream.steps(1 << 12)
    return sum_of_squares(np.array([correlation(words[:, :-lag], words[:, lag:]) for lag in range(1, 17)]))


def serial(words: U32s, size: int, bits: int) -> float:
    """Tuples of `size` successive words fall into each cell of their cube alike, by their leading bits."""
    tuples = words[: words.size // size * size].reshape(-1, size) >> np.uint32(32 - bits)
    cells = tuples @ (1 << bits * np.arange(size))
    return even(cells, 1 << bits * size)


def pairs_of_steps(stream: Stream) -> float:
    return serial(stream.along_a_path(), 2, 7)


def triples_of_steps(stream: Stream) -> float:
    return serial(stream.along_a_path(), 3, 5)


def pairs_of_paths(stream: Stream) -> float:
    return serial(stream.across_paths(), 2, 7)


def triples_of_paths(stream: Stream) -> float:
    return serial(stream.across_paths(), 3, 5)


def orders(words: U32s) -> float:
    """The 120 orders of five successive words are alike (permutation test)."""
    groups = words[: words.size // 5 * 5].reshape(-1, 5)
    later = groups[:, :, None] > groups[:, None, :]
    place = np.array([(later[:, at, at + 1 :]).sum(axis=1) * factorial(4 - at) for at in range(5)])
    return even(place.sum(axis=0), 120)


def gaps(words: U32s) -> float:
    """Between words below 2^32 / 8 lie geometric numbers of others; a fixed number of gaps is looked at."""
    hits = np.flatnonzero(words < TWO_32 // 8)
    wanted = int(words.size / 8 * 0.95)
    found = np.minimum(np.diff(hits[: wanted + 1]) - 1, 40)
    shares = np.array([0.125 * 0.875**gap for gap in range(40)] + [0.875**40])
    return chi_square(np.bincount(found, minlength=41), shares)


def runs_about_the_median(words: U32s) -> float:
    """Successive words change sides half of the time."""
    changes = np.count_nonzero(np.diff(words >> np.uint32(31)))
    n = words.size - 1
    return float(stats.norm.sf((changes - n / 2) / sqrt(n / 4)))


def runs_up_and_down(words: U32s) -> float:
    """Runs of rises and falls: (2n - 1)/3 on average, with variance (16n - 29)/90."""
    rises = words[1:] > words[:-1]
    runs, n = 1 + np.count_nonzero(rises[1:] != rises[:-1]), words.size
    return float(stats.norm.sf((runs - (2 * n - 1) / 3) / sqrt((16 * n - 29) / 90)))


def birthday_spacings(words: U32s) -> float:
    """4,096 words on a circle of 2^32: spacings that occur again, Poisson with mean 4 in each of many rounds."""
    days = np.sort(words[: words.size // 4096 * 4096].reshape(-1, 4096), axis=1)
    spacings = np.sort(np.diff(days, axis=1), axis=1)
    again, mean = np.count_nonzero(spacings[:, 1:] == spacings[:, :-1]), 4 * len(days)
    return float(stats.poisson.sf(again, mean) + stats.poisson.pmf(again, mean) / 2)


def matrix_ranks(words: U32s) -> float:
    """Ranks of at most 8,192 matrices of 32 x 32 bits: 32, 31, or less."""
    missing = 32 - _ranks(words[: min(words.size // 32, 8192) * 32].reshape(-1, 32).copy())
    full, one_less = _share_of_rank(32), _share_of_rank(31)
    shares = np.array([full, one_less, 1 - full - one_less])
    return chi_square(np.bincount(np.minimum(missing, 2), minlength=3), shares)


def _ranks(rows: U32s) -> Counts:
    free = np.ones(rows.shape, np.bool_)
    matrix = np.arange(len(rows))
    for bit in range(32):
        having = bit_of(rows, bit).astype(np.bool_)
        pivot = np.argmax(having & free, axis=1)
        found = (having & free)[matrix, pivot]
        having[matrix, pivot] = False
        rows ^= np.where(having & found[:, None], rows[matrix, pivot][:, None], np.uint32(0))
        free[matrix[found], pivot[found]] = False
    used: Counts = np.count_nonzero(~free, axis=1).astype(np.int64)
    return used


def _share_of_rank(rank: int, n: int = 32) -> float:
    share = 2.0 ** (rank * (2 * n - rank) - n * n)
    for at in range(rank):
        share *= (1 - 2.0 ** (at - n)) ** 2 / (1 - 2.0 ** (at - rank))
    return share
