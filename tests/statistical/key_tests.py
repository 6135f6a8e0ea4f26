"""Tests of the words of unlike seeds and paths, and of what one bit of seed, path or step changes.

Each takes a stream and yields the upper tail of its statistic.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

from tests.statistical.stream import Floats, Stream, bit_of, correlation, sum_of_squares, weights


def distant_paths(bits: range, stream: Stream) -> float:
    """Paths that are 2^bit apart are uncorrelated."""
    few = Stream(draw=stream.draw, seed=stream.seed, pairs=stream.pairs // len(bits))
    here = few.block(64)
    return sum_of_squares(np.array([correlation(here, few.block(64, first_path=1 << bit)) for bit in bits]))


def differences_of_paths(apart: int, stream: Stream) -> float:
    """The bits in which two paths differ are those of chance."""
    return weights(stream.block(64) ^ stream.block(64, first_path=apart))


def differences_of_words(stream: Stream) -> float:
    """The bits in which the two words of a pair differ are those of chance."""
    first, second = stream.block(64)
    return weights(first ^ second)


def differences_of_second_words(stream: Stream) -> float:
    """The bits in which a step's word differs from its second one, 2^31 pairs on, are those of chance."""
    return weights(stream.block(64) ^ stream.block(64, first_pair=1 << 31))


def neighbouring_seeds(stream: Stream) -> float:
    """Seeds s and s + k are uncorrelated for k to 32."""
    few = Stream(draw=stream.draw, seed=stream.seed, pairs=stream.pairs // 32)
    here = few.block(64)
    return sum_of_squares(np.array([correlation(here, few.block(64, seed=few.seed + k)) for k in range(1, 33)]))


def differences_of_seeds(seed: int, path: int, stream: Stream) -> float:
    """The bits in which a seed and path differ from the next seed, that many paths on, are those of chance."""
    return weights(stream.block(64, first_path=64) ^ stream.block(64, first_path=64 + path, seed=stream.seed + seed))


def flips(stream: Stream, name: str, bits: int = 32) -> Floats:
    """float[bits, 64]: the share of flips of each bit of the two words as one bit of the input is flipped."""
    k = np.arange(stream.pairs // bits, dtype=np.uint64)
    return np.array([_flips_of(stream, name, bit, k) for bit in range(bits)])


def _flips_of(stream: Stream, name: str, bit: int, k: npt.NDArray[np.uint64]) -> Floats:
    many, few, flipped = k >> np.uint64(6), (k & np.uint64(63)).astype(np.uint32), 1 << bit
    if name in {"path", "pair"}:  # a zero is put in where the bit is to be flipped
        many = many >> np.uint64(bit) << np.uint64(bit + 1) | many & np.uint64(flipped - 1)
    low = many.astype(np.uint32)
    before = stream.draw(stream.seed, 0, *((few, low) if name == "pair" else (low, few)))
    match name:
        case "path":
            after = stream.draw(stream.seed, 0, low ^ np.uint32(flipped), few)
        case "pair":
            after = stream.draw(stream.seed, 0, few, low ^ np.uint32(flipped))
        case "upper half":
            after = stream.draw(stream.seed, flipped, low, few)
        case _:
            after = stream.draw(stream.seed ^ flipped, 0, low, few)
    return np.array([bit_of(a ^ b, at).mean() for a, b in zip(before, after, strict=True) for at in range(32)])


def avalanche(name: str, bits: int, stream: Stream) -> float:
    """Each bit of the input flips each of the 64 bits of the words half of the time (strict avalanche)."""
    n = stream.pairs // bits
    return sum_of_squares((flips(stream, name, bits).reshape(-1) - 0.5) * 2 * sqrt(n))
