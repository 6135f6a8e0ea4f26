"""What is least in stretches of neighbours, each of its own length."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64s = npt.NDArray[np.float64]


def least(values: Float64s, lengths: npt.NDArray[np.int64]) -> Float64s:
    """Of values[i : i + lengths[i]], for each i of `lengths`, which are 1 or more and lead nowhere beyond the values.

    A stretch is two, which overlap, of the power of 2 that is half of it or more; those are made by doubling.
    """
    found, longest = np.empty(lengths.size), int(lengths.max())
    reach, of_reach = 1, values
    while reach <= longest:
        which = np.flatnonzero((lengths >= reach) & (lengths < 2 * reach))
        found[which] = np.minimum(of_reach[which], of_reach[which + lengths[which] - reach])
        of_reach = np.minimum(of_reach[:-reach], of_reach[reach:])
        reach *= 2
    return found
