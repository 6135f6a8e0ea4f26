"""A mergeable histogram of signed integers with a fixed layout: exact near zero, log-linear beyond.

The bin of a value v is its key: v itself where |v| < 2048, else sign(v) · (1024·e + (|v| >> e)) with e the shift
that leaves 11 bits of |v|. Keys rise with the values, a bin is at most 2^-10 of its values wide, and the layout
depends on nothing: any two histograms merge, exactly and in any order. Each bin holds its count and the exact
excess of its values over the bin's edge nearest to zero, so the mean of a bin is exact and an atom stays an atom.
(The layout is that of HdrHistogram, G. Tene, with 10 bits below the leading one.)
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]

MAX_MAGNITUDE: Final = 1 << 40
"""Values are below this in magnitude, so that the excess of 2^34 values in one bin still fits 64 bits."""

COARSE_GRAIN: Final = 8
"""How many bins make one of a coarse histogram, at most."""

MAX_COUNT: Final = 1 << 34
"""The most values one histogram may hold."""

_VERSION: Final = 1
_HEADER: Final = struct.Struct("<BI")
_EXACT_BITS: Final = 10
_MANTISSA_SHIFT: Final = 52 - _EXACT_BITS
_EXPONENT_OFFSET: Final = (1023 + _EXACT_BITS - 1) << _EXACT_BITS
_ALL_BUT_SIGN: Final = np.int64(np.iinfo(np.int64).max)
_LEADING: Final = 1 << _EXACT_BITS
_WIDTHS: Final = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Histogram:
    """Counts of integer values in bins; only bins that hold a value are kept.

    keys: ascending; counts: ≥ 1; excess: Σ(v − edge) in each bin, of the sign of the key. All of one length.
    """

    keys: Int64s
    counts: Int64s
    excess: Int64s

    @staticmethod
    def empty() -> Histogram:
        """The histogram of no values: the neutral element of `merge`."""
        return _EMPTY

    @staticmethod
    def of(values: npt.NDArray[np.integer]) -> Histogram:
        """The histogram of one-dimensional integer values.

        Raises: ValueError for a value of MAX_MAGNITUDE or beyond.
        """
        if not values.size:
            return _EMPTY
        low, high = int(values.min()), int(values.max())
        magnitude = max(-low, high)
        if magnitude >= MAX_MAGNITUDE:
            raise ValueError(f"A value of magnitude {magnitude} does not fit: keep values below {MAX_MAGNITUDE}.")
        if magnitude < 2 * _LEADING:
            return _of_exact(values, low)
        # A float64 total is exact below 2^53: halve what could exceed it.
        if values.size > 1 and values.size * magnitude >= 1 << 53:
            half = values.size // 2
            return merge(Histogram.of(values[:half]), Histogram.of(values[half:]))
        return _of_wide(values)

    @property
    def count(self) -> int:
        """How many values it holds."""
        return int(self.counts.sum())

    @property
    def total(self) -> int:
        """The exact sum of the values."""
        # The counts add up to at most 2^34, so each half of the edges weighted by them fits 64 bits.
        high, low = np.divmod(edges_of(self.keys), 1 << 20)
        return (int(high @ self.counts) << 20) + int(low @ self.counts) + int(self.excess.sum())

    @property
    def bin_means(self) -> Float64s:
        """The mean of the values in each bin, ascending."""
        return np.asarray(edges_of(self.keys) + self.excess / self.counts, dtype=np.float64)

    def at_ranks(self, ranks: Int64s) -> Float64s:
        """The values of the order statistics with these 0-based ranks: the mean of the bin each falls in.

        Exact for |v| < 2048 and for atoms, else within one bin.
        """
        bins = self._bins_of(ranks)
        return np.asarray(edges_of(self.keys[bins]) + self.excess[bins] / self.counts[bins], dtype=np.float64)

    def bounds_at_ranks(self, ranks: Int64s, *, grain: int = 1) -> tuple[Float64s, Float64s]:
        """Between which values these order statistics lie: the ends of their bins, `grain` times as wide if `coarse`.

        A bin whose mean is a whole number is taken for an atom, and so for exact: by chance one of n values has that
        mean once in n times.
        """
        bins = self._bins_of(ranks)
        keys, counts, excess = self.keys[bins], self.counts[bins], self.excess[bins]
        near = edges_of(keys)
        far = near + np.sign(keys) * ((grain << _shift_of(keys)) - 1)
        atom, mean = excess % counts == 0, near + excess / counts
        return np.where(atom, mean, np.minimum(near, far)), np.where(atom, mean, np.maximum(near, far))

    def _bins_of(self, ranks: Int64s) -> npt.NDArray[np.intp]:
        return np.searchsorted(np.cumsum(self.counts), ranks, side="right")

    def coarse(self) -> Histogram:
        """The same values in bins at most 2^-7 of them wide, for what only a chart needs.

        Coarse histograms merge among themselves as exactly as fine ones; they hold up to 2^31 values.
        """
        magnitude = np.abs(self.keys)
        cleared = sum((magnitude >= _LEADING >> octave).astype(np.int64) for octave in range(3))
        coarse = np.sign(self.keys) * (magnitude >> cleared << cleared)
        keys, first = np.unique(coarse, return_index=True)
        excess = self.excess + self.counts * (edges_of(self.keys) - edges_of(coarse))
        return (
            Histogram(keys=keys, counts=np.add.reduceat(self.counts, first), excess=np.add.reduceat(excess, first))
            if keys.size
            else self
        )

    def negated(self) -> Histogram:
        """The histogram of the values with their signs changed."""
        return Histogram(keys=-self.keys[::-1], counts=self.counts[::-1], excess=-self.excess[::-1])

    def to_bytes(self) -> bytes:
        """The canonical serial form: equal histograms give equal bytes."""
        if not self.keys.size:
            return _HEADER.pack(_VERSION, 0)
        steps = np.diff(self.keys, prepend=self.keys[0])
        head = _HEADER.pack(_VERSION, self.keys.size) + struct.pack("<i", int(self.keys[0]))
        return head + b"".join(_pack(column) for column in (steps, self.counts, np.abs(self.excess)))

    @staticmethod
    def from_bytes(data: bytes) -> Histogram:
        """What `to_bytes` gave.

        Raises: ValueError for anything else.
        """
        try:
            return _parse(data)
        except (struct.error, IndexError) as broken:
            raise ValueError("A serialised histogram is cut short: use the bytes that to_bytes() gave.") from broken

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())


def merge(a: Histogram, b: Histogram) -> Histogram:
    """The histogram of the values of both: exact, commutative and associative.

    Raises: ValueError beyond MAX_COUNT values.
    """
    if not a.keys.size or not b.keys.size:
        return a if a.keys.size else b
    if a.count + b.count > MAX_COUNT:
        raise ValueError(f"A histogram holds at most {MAX_COUNT} values: ask for fewer paths.")
    keys = np.union1d(a.keys, b.keys)
    counts, excess = np.zeros((2, keys.size), dtype=np.int64)
    for part in (a, b):
        bins = np.searchsorted(keys, part.keys)
        counts[bins] += part.counts
        excess[bins] += part.excess
    return Histogram(keys=keys, counts=counts, excess=excess)


def edges_of(keys: Int64s) -> Int64s:
    """The edge nearest to zero of each bin: the only value of an exact bin."""
    magnitude, shift = np.abs(keys), _shift_of(keys)
    return np.asarray(np.sign(keys) * ((magnitude - (shift << _EXACT_BITS)) << shift), dtype=np.int64)


def _shift_of(keys: Int64s) -> Int64s:
    """The bits that the bin of a key leaves off its values: it is 2^shift wide."""
    return np.asarray(np.maximum((np.abs(keys) >> _EXACT_BITS) - 1, 0), dtype=np.int64)


def _of_exact(values: npt.NDArray[np.integer], low: int) -> Histogram:
    """Values that are their own keys."""
    dense = np.bincount(values - low)
    bins = np.flatnonzero(dense)
    return Histogram(
        keys=bins.astype(np.int64) + low,
        counts=dense[bins].astype(np.int64),
        excess=np.zeros(bins.size, dtype=np.int64),
    )


def _of_wide(values: npt.NDArray[np.integer]) -> Histogram:
    """Values whose float64 totals are exact."""
    reals = values.astype(np.float64)
    keys = _keys_of(values, reals)
    low = int(keys.min())
    keys -= low
    dense = np.bincount(keys)
    totals = np.bincount(keys, weights=reals)
    bins = np.flatnonzero(dense)
    found, counts = bins.astype(np.int64) + low, dense[bins].astype(np.int64)
    excess = totals[bins].astype(np.int64) - edges_of(found) * counts
    return Histogram(keys=found, counts=counts, excess=excess)


def _keys_of(values: npt.NDArray[np.integer], reals: Float64s) -> Int64s:
    """The keys of integers, from the exponent and the 10 bits below the leading one of their float64 form."""
    keys = reals.view(np.int64) & _ALL_BUT_SIGN
    keys >>= _MANTISSA_SHIFT
    keys -= _EXPONENT_OFFSET
    keys *= np.sign(values)
    # The exponent of a smaller value says nothing: it is its own key.
    np.copyto(keys, values, where=(values > -_LEADING) & (values < _LEADING))
    return keys


def _pack(column: Int64s) -> bytes:
    """Non-negative integers in the smallest whole width that holds the largest, little-endian."""
    width = next(w for w in _WIDTHS if w == _WIDTHS[-1] or int(column.max()) < 1 << 8 * w)
    return bytes([width]) + column.astype(f"<u{width}").tobytes()


def _parse(data: bytes) -> Histogram:
    version, size = _HEADER.unpack_from(data)
    if version != _VERSION:
        raise ValueError(f"A serialised histogram has version {version}, not {_VERSION}: start again without it.")
    if not size:
        return _EMPTY
    (first,) = struct.unpack_from("<i", data, _HEADER.size)
    offset, columns = _HEADER.size + 4, []
    for _ in range(3):
        width = data[offset]
        if width not in _WIDTHS or offset + 1 + size * width > len(data):
            raise IndexError(offset)
        columns.append(np.frombuffer(data, f"<u{width}", size, offset + 1).astype(np.int64))
        offset += 1 + size * width
    keys = np.cumsum(columns[0]) + first
    return Histogram(keys=keys, counts=columns[1], excess=np.sign(keys) * columns[2])


_EMPTY: Final = Histogram(
    keys=np.zeros(0, dtype=np.int64), counts=np.zeros(0, dtype=np.int64), excess=np.zeros(0, dtype=np.int64)
)
