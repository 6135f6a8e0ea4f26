"""Sums of products of floats that are the same on any number of threads.

A product of vectors by `@` goes to BLAS, which splits a long one over as many threads as it has, and rounds differently
for each number of them. numpy adds up pair by pair, in an order that the length alone decides.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64] | npt.NDArray[np.int64]


def dot(a: Vector, b: Vector) -> float:
    """Σ a(i) b(i); of equal lengths."""
    return float(np.add.reduce(a * b, dtype=np.float64))
