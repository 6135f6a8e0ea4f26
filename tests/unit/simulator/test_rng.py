"""The generator against its authors' vectors, and what a path's bits depend on."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.rng import path_key, threefry2x32

ONES = 0xFFFFFFFF
PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)


def words(counter: tuple[int, int], key: tuple[int, int], rounds: int) -> tuple[int, int]:
    found = threefry2x32(_pair(key), _pair(counter), rounds)
    return int(found[0][0]), int(found[1][0])


def _pair(values: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return np.full(1, values[0], np.uint32), np.full(1, values[1], np.uint32)


@pytest.mark.parametrize(
    ("rounds", "counter", "key", "published"),
    [
        (13, (0, 0), (0, 0), (0x9D1C5EC6, 0x8BD50731)),
        (13, (ONES, ONES), (ONES, ONES), (0xFD36D048, 0x2D17272C)),
        (13, PI[:2], PI[2:], (0xBA3E4725, 0xF27D669E)),
        (20, (0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        (20, (ONES, ONES), (ONES, ONES), (0x1CB996FC, 0xBB002BE7)),
        (20, PI[:2], PI[2:], (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_words_its_authors_published(
    rounds: int, counter: tuple[int, int], key: tuple[int, int], published: tuple[int, int]
) -> None:
    assert words(counter, key, rounds) == published


def test_keys_differ_with_each_half_of_the_seed_and_with_the_upper_half_of_the_path() -> None:
    keys = [path_key(7, 0), path_key(8, 0), path_key(7 + (1 << 32), 0), path_key(7, 1), path_key(1 << 32, 0)]
    assert len({key.tobytes() for key in keys}) == len(keys)


def test_bits_are_even_and_neighbouring_paths_uncorrelated() -> None:
    """False-alarm rate below 1e-6: 64 bit counts and 1 correlation, each within 5.5 standard errors."""
    n = 1 << 16
    key = path_key(1, 0)
    path, step = np.arange(n, dtype=np.uint32), np.full(n, 3, np.uint32)
    for word in threefry2x32((key[:1], key[1:]), (path, step)):
        ones = [int(((word >> np.uint32(bit)) & np.uint32(1)).sum()) for bit in range(32)]
        assert np.abs(np.array(ones) - n / 2).max() < 5.5 * np.sqrt(n) / 2
    uniform = word / 2**32
    assert abs(np.corrcoef(uniform[:-1], uniform[1:])[0, 1]) < 5.5 / np.sqrt(n)
