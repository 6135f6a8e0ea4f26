"""The bins of a `Histogram`: a fixed layout of the integers, exact near zero, log-linear beyond.

The bin of a value v is its key: v itself where |v| < 2048, else sign(v) · (1024·e + (|v| >> e)) with e the shift
that leaves 11 bits of |v|. Keys rise with the values, a bin is at most 2^-10 of its values wide, and the layout
depends on nothing. (It is that of HdrHistogram, G. Tene, with 10 bits below the leading one.)
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]

EXACT_BITS: Final = 10
"""Bits below the leading one that tell bins apart."""

_MANTISSA_SHIFT: Final = 52 - EXACT_BITS
_EXPONENT_OFFSET: Final = (1023 + EXACT_BITS - 1) << EXACT_BITS
_ALL_BUT_SIGN: Final = np.int64(np.iinfo(np.int64).max)
_LEADING: Final = 1 << EXACT_BITS
_EXACT: Final = 2 * _LEADING
"""Smaller values are their own keys."""


class Binned(NamedTuple):
    """Values by their bins. keys; excess: by how much the magnitude of each is beyond that of the bin's edge."""

    keys: npt.NDArray[np.integer]
    excess: npt.NDArray[np.integer]

    @staticmethod
    def of(values: npt.NDArray[np.integer]) -> Binned:
        """Of values that float64 holds exactly."""
        keys, magnitudes = keys_of(values), np.abs(values, dtype=np.int64)
        return Binned(keys, magnitudes & ((np.int64(1) << _shift(np.abs(keys))) - 1))


def keys_of(values: npt.NDArray[np.integer]) -> Int64s:
    """The keys of integers, from the exponent and the 10 bits below the leading one of their float64 form."""
    keys = values.astype(np.float64).view(np.int64) & _ALL_BUT_SIGN
    keys >>= _MANTISSA_SHIFT
    keys -= _EXPONENT_OFFSET
    keys *= np.sign(values)
    # The exponent of a smaller value says nothing: it is its own key.
    np.copyto(keys, values, where=(values > -_LEADING) & (values < _LEADING))
    return keys


def edges_of(keys: Int64s) -> Int64s:
    """The edge nearest to zero of each bin, of keys that rise: the only value of an exact bin."""
    if all_exact(keys):
        return keys
    magnitude = np.abs(keys)
    shift = _shift(magnitude)
    return np.asarray(np.sign(keys) * ((magnitude - (shift << EXACT_BITS)) << shift), dtype=np.int64)


def _shift(magnitudes: Int64s) -> Int64s:
    """The bits that are left out of the keys of these magnitudes."""
    return np.asarray(np.maximum((magnitudes >> EXACT_BITS) - 1, 0), dtype=np.int64)


def all_exact(rising: Int64s) -> bool:
    """Whether each of these values, or of these keys, has a bin to itself."""
    return not rising.size or (rising[0] > -_EXACT and rising[-1] < _EXACT)
