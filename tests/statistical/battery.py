"""Statistical tests of a generator of two words for each (seed, path, pair of steps), as the engine uses one.

Each test draws words of a seed of its own and yields one p-value, the upper tail of its statistic, which is uniform if
the words are independent and uniform. So the p-values of a battery are independent, and a table of them can be judged
as a whole: none too near 0 or 1 (Bonferroni), and together uniform (Kolmogorov & Smirnov).

Sources: Knuth, The Art of Computer Programming 2, section 3.3.2 (chi-square, serial, gap and permutation tests); Wald &
Wolfowitz 1940 and Levene & Wolfowitz 1944 (runs); Marsaglia & Tsang 2002 (ranks of bit matrices, birthday spacings);
Webster & Tavares 1986 (strict avalanche).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from zlib import crc32

from scipy import stats

from tests.statistical import key_tests, word_tests
from tests.statistical.stream import TWO_32, Draw, Stream, U32s

Test = Callable[[Stream], float]


def of_words(test: Callable[[U32s], float], words: Callable[[Stream], U32s], stream: Stream) -> float:
    return test(words(stream))


SEQUENCE_TESTS = (
    word_tests.orders,
    word_tests.gaps,
    word_tests.runs_about_the_median,
    word_tests.runs_up_and_down,
    word_tests.birthday_spacings,
    word_tests.matrix_ranks,
)

BATTERY: dict[str, Test] = {
    **{
        f"{which} word, {bits} bits from bit {lowest}": partial(word_tests.equidistribution, word, bits, lowest)
        for word, which in enumerate(("first", "second"))
        for bits, lowest in ((8, 24), (8, 0), (12, 10), (16, 16), (16, 0))
    },
    "balance of bits": word_tests.bit_balance,
    **{f"index of {n}": partial(word_tests.index, n) for n in (3, 500, 997)},
    **{f"index of {n}, and the remainder": partial(word_tests.index_and_remainder, n) for n in (3, 500)},
    "amount and end of day": word_tests.amount_and_end_of_day,
    "correlation of steps": word_tests.serial_correlation,
    "pairs of steps": word_tests.pairs_of_steps,
    "triples of steps": word_tests.triples_of_steps,
    "pairs of paths": word_tests.pairs_of_paths,
    "triples of paths": word_tests.triples_of_paths,
    **{
        f"{test.__name__.replace('_', ' ')}, {where}": partial(of_words, test, words)
        for where, words in (("along a path", Stream.along_a_path), ("across paths", Stream.across_paths))
        for test in SEQUENCE_TESTS
    },
    "paths 2^0 to 2^31 apart": partial(key_tests.distant_paths, range(32)),
    "paths 2^32 to 2^63 apart": partial(key_tests.distant_paths, range(32, 64)),
    "differences of neighbouring paths": partial(key_tests.differences_of_paths, 1),
    "differences of paths 2^32 apart": partial(key_tests.differences_of_paths, TWO_32),
    "differences of the two words": key_tests.differences_of_words,
    "differences of second words": key_tests.differences_of_second_words,
    "neighbouring seeds": key_tests.neighbouring_seeds,
    "differences of neighbouring seeds": partial(key_tests.differences_of_seeds, 1, 0),
    "differences of neighbouring seeds, a path back": partial(key_tests.differences_of_seeds, 1, -1),
    "differences of seeds 2^32 apart, paths 2^32 back": partial(key_tests.differences_of_seeds, TWO_32, TWO_32),
    "avalanche of the seed": partial(key_tests.avalanche, "seed", 64),
    "avalanche of the path": partial(key_tests.avalanche, "path", 32),
    "avalanche of the path's upper half": partial(key_tests.avalanche, "upper half", 32),
    "avalanche of the step": partial(key_tests.avalanche, "pair", 32),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a table of independent p-values says; each way to be wrong about a right generator has half of the rate.

    rejected: those too near 0 or 1; uniform: whether all of them together look like uniform numbers.
    """

    rejected: dict[str, float]
    uniform: bool


def judge(table: dict[str, float], *, false_alarm_rate: float) -> Verdict:
    """A right generator is rejected, by any test or by all together, no more often than `false_alarm_rate`."""
    each = false_alarm_rate / 2 / len(table)
    return Verdict(
        rejected={name: p for name, p in table.items() if 2 * min(p, 1 - p) < each},
        uniform=bool(stats.kstest(list(table.values()), "uniform").pvalue >= false_alarm_rate / 2),
    )


def p_values(draw: Draw, *, seed: int, pairs: int) -> dict[str, float]:
    """The p-value of each test; each has its own seed, from its name, whose lower 40 bits are 0."""
    return {
        name: test(Stream(draw=draw, seed=(seed << 56) + ((crc32(name.encode()) & 0xFFFF) << 40), pairs=pairs))
        for name, test in BATTERY.items()
    }
