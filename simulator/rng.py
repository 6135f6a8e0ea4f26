"""Random bits as a function of (seed, path, step): Threefry-2x32, inlined.

Source: Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011). Thirteen rounds are the
fewest that pass BigCrush; that paper recommends 20 for a margin. There is no state and no stream, so nothing depends
on how paths are grouped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # the ingress plans and seeds, and must not pay for importing jax
    import jax

ROUNDS: Final = 13
ROTATIONS: Final = (13, 15, 26, 6, 17, 29, 16, 24)
PARITY: Final = np.uint32(0x1BD11BDA)
BITS: Final = np.uint32(32)

Words = TypeVar("Words", "jax.Array", npt.NDArray[np.uint32])


def threefry2x32(key: tuple[Words, Words], counter: tuple[Words, Words], rounds: int = ROUNDS) -> tuple[Words, Words]:
    """Two uint32 words for each pair of counters; keys and counters broadcast. Works on numpy and on jax arrays."""
    schedule = (key[0], key[1], key[0] ^ key[1] ^ PARITY)
    first, second = counter[0] + schedule[0], counter[1] + schedule[1]
    for done in range(rounds):
        turn = np.uint32(ROTATIONS[done % 8])
        first = first + second
        second = ((second << turn) | (second >> (BITS - turn))) ^ first
        if done % 4 == 3:
            group = (done + 1) // 4
            first = first + schedule[group % 3]
            second = second + schedule[(group + 1) % 3] + np.uint32(group)
    return first, second


def path_key(seed: int, path_high: int) -> npt.NDArray[np.uint32]:
    """The key, uint32[2], of all paths whose index has the upper 32 bits `path_high`; `seed` has 64 bits.

    The seed enters as a key, the upper bits as a counter, so distinct pairs give keys that are unrelated.
    """
    mask = 0xFFFFFFFF
    key = (np.full(1, seed & mask, np.uint32), np.full(1, seed >> 32 & mask, np.uint32))
    counter = (np.full(1, path_high & mask, np.uint32), np.full(1, 0x50415448, np.uint32))
    return np.concatenate(threefry2x32(key, counter, rounds=20))
