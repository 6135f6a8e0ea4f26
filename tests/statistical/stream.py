"""What a statistical test draws from, and the statistics that turn what it saw into a p-value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats

U32s = npt.NDArray[np.uint32]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

Draw = Callable[[int, int, U32s, U32s], tuple[U32s, U32s]]
"""(seed, upper half of the paths, their lower halves, pairs of steps), the last two broadcast, to two words each."""

TWO_32 = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What one test draws from: a generator, the test's own seed, and how many pairs of words it may take."""

    draw: Draw
    seed: int
    pairs: int

    def block(
        self, pairs: int, *, paths: int | None = None, first_path: int = 0, first_pair: int = 0, seed: int | None = None
    ) -> U32s:
        """uint32[2, paths, pairs]: consecutive paths and pairs; `paths` None: as many as the stream's size allows."""
        high, low = divmod(first_path, TWO_32)
        count = self.pairs // pairs if paths is None else paths
        path = np.arange(low, low + count, dtype=np.uint64).astype(np.uint32)[:, None]
        pair = np.arange(first_pair, first_pair + pairs, dtype=np.uint32)[None, :]
        return np.stack(self.draw(self.seed if seed is None else seed, high, path, pair))

    def steps(self, pairs: int, *, paths: int | None = None) -> U32s:
        """uint32[paths, 2 x pairs]: the words of a path's steps in order."""
        first, second = self.block(pairs, paths=paths)
        return np.stack([first, second], axis=2).reshape(len(first), -1)

    def along_a_path(self) -> U32s:
        """Words of one long path, in order."""
        words: U32s = self.steps(self.pairs, paths=1)[0]
        return words

    def across_paths(self) -> U32s:
        """Words of the same few steps, from path to path."""
        return self.block(8).transpose(0, 2, 1).reshape(-1)


def chi_square(observed: Counts, shares: Floats) -> float:
    """The upper tail of Pearson's statistic; `shares` sum to 1."""
    expected = shares * observed.sum()
    return float(stats.chi2.sf(((observed - expected) ** 2 / expected).sum(), observed.size - 1))


def even(cells: npt.NDArray[np.integer], count: int) -> float:
    """Whether each of `count` cells is hit alike."""
    return chi_square(np.bincount(cells.reshape(-1), minlength=count), np.full(count, 1 / count))


def sum_of_squares(scores: Floats) -> float:
    """The upper tail of Σz² of independent standard normal scores."""
    return float(stats.chi2.sf((scores**2).sum(), scores.size))


def centred(words: U32s) -> Floats:
    """Words as numbers from -1/2 to 1/2."""
    return words / TWO_32 - 0.5


def correlation(left: U32s, right: U32s) -> float:
    """The correlation of two sets of words, in standard errors; mean and variance of a word are known."""
    return float(12 * (centred(left) * centred(right)).sum() / sqrt(left.size))


def weights(differences: U32s) -> float:
    """The number of ones of each word is binomial (Hamming weights); counts in the tails are put together."""
    ones = np.clip(np.bitwise_count(differences).reshape(-1), 8, 24) - 8
    shares = stats.binom.pmf(np.arange(33), 32, 0.5)
    return chi_square(np.bincount(ones, minlength=17), np.array([shares[:9].sum(), *shares[9:24], shares[24:].sum()]))


def bit_of(words: U32s, bit: int) -> U32s:
    return words >> np.uint32(bit) & np.uint32(1)
