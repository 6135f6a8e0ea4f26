"""A mergeable histogram of signed integers, with the bins of `simulator.bins`.

As their layout depends on nothing, any two histograms merge, exactly and in any order. Each bin holds its count and the
exact excess of its values over the bin's edge nearest to zero, so the mean of a bin is exact and an atom stays an atom.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.bins import EXACT_BITS, Binned, Int64s, all_exact, edges_of, keys_of
from simulator.scratch import scratch

Float64s = npt.NDArray[np.float64]

MAX_MAGNITUDE: Final = 1 << 40
"""Values are below this in magnitude, so that the excess of 2^34 values in one bin still fits 64 bits."""

MAX_COUNT: Final = 1 << 34
"""The most values one histogram may hold."""

_VERSION: Final = 1
_HEADER: Final = struct.Struct("<BI")
_DENSE: Final = 1 << 16
"""Values that spread over fewer whole numbers than this are counted one by one."""
_FLOAT_BITS: Final = 53
"""Whole numbers of so many bits are exact in float64."""
_WIDTHS: Final = (1, 2, 4, 8)


@dataclass(frozen=True, kw_only=True, eq=False)  # no slots: what follows from the bins is kept once it was asked for
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
    def of(*parts: npt.NDArray[np.integer]) -> Histogram:
        """The histogram of one-dimensional integer values, in parts.

        Raises: ValueError for a value of MAX_MAGNITUDE or beyond.
        """
        parts = tuple(part for part in parts if part.size)
        if not parts:
            return _EMPTY
        low, high = min(int(part.min()) for part in parts), max(int(part.max()) for part in parts)
        magnitude = max(-low, high)
        if magnitude >= MAX_MAGNITUDE:
            raise ValueError(f"A value of magnitude {magnitude} does not fit: keep values below {MAX_MAGNITUDE}.")
        if high - low < _DENSE:
            return Histogram.of_counts(np.bincount(_places(parts, low)), low)
        return Histogram.of_binned([Binned.of(part) for part in parts])

    @staticmethod
    def of_binned(parts: Sequence[Binned]) -> Histogram:
        """The histogram of values whose bins are known, in parts.

        Counts and excesses are summed together, as one whole number of a float64: the count times a power of two that
        no sum of excesses reaches, and the excess. Where both do not fit 53 bits, it is done by halves.
        """
        parts = [part for part in parts if part.keys.size]
        if not parts:
            return _EMPTY
        low, high = min(int(part.keys.min()) for part in parts), max(int(part.keys.max()) for part in parts)
        size = sum(part.keys.size for part in parts)
        excess_bits = max((max(-low, high) >> EXACT_BITS) - 1, 0) + size.bit_length()
        if excess_bits + size.bit_length() > _FLOAT_BITS and size > 1:
            return merge(*(Histogram.of_binned(half) for half in _halves(parts)))
        totals = np.bincount(_places([part.keys for part in parts], low), _weights(parts, 1 << excess_bits))
        bins = _filled(totals)
        keys, both = bins.astype(np.int64) + low, totals[bins].astype(np.int64)
        return Histogram(
            keys=keys, counts=both >> excess_bits, excess=np.sign(keys) * (both & ((1 << excess_bits) - 1))
        )

    @staticmethod
    def of_counts(counts: npt.NDArray[np.integer], low: int = 0) -> Histogram:
        """The histogram of so many values `low`, `low` + 1, and so on."""
        places = _filled(counts)
        if not places.size:
            return _EMPTY
        values, held = places + low, counts[places].astype(np.int64)
        if all_exact(values):
            return Histogram(keys=values, counts=held, excess=np.zeros_like(values))
        keys, first = np.unique(keys_of(values), return_index=True)
        total, held = np.add.reduceat(held * values, first), np.add.reduceat(held, first)
        return Histogram(keys=keys, counts=held, excess=total - held * edges_of(keys))

    @cached_property
    def count(self) -> int:
        """How many values it holds."""
        return int(self.counts.sum())

    @cached_property
    def total(self) -> int:
        """The exact sum of the values."""
        if self.keys.size and self.count * int(max(abs(self._edges[0]), abs(self._edges[-1]))) < 1 << 63:
            return int(self._edges @ self.counts) + int(self.excess.sum())
        # The counts add up to at most 2^34, so each half of the edges weighted by them fits 64 bits.
        high, low = self._edges >> 20, self._edges & ((1 << 20) - 1)
        return (int(high @ self.counts) << 20) + int(low @ self.counts) + int(self.excess.sum())

    @cached_property
    def bin_means(self) -> Float64s:
        """The mean of the values in each bin, ascending."""
        return np.asarray(self._edges + self.excess / self.counts, dtype=np.float64)

    def at_ranks(self, ranks: Int64s) -> Float64s:
        """The values of the order statistics with these 0-based ranks: the mean of the bin each falls in.

        Exact for |v| < 2048 and for atoms, else within one bin.
        """
        return self.bin_means[self._bins_of(ranks)]

    def order_statistics(self, ranks: Int64s) -> list[tuple[float, float, float]]:
        """Of the order statistics with these 0-based ranks: the value, as of `at_ranks`, and between what it lies.

        The bounds are the ends of its bin. A bin whose mean is a whole number is taken for an atom, and so for exact:
        by chance one of n values has that mean once in n times.
        """
        bins = self._bins_of(ranks)
        columns = (self.keys[bins].tolist(), self.counts[bins].tolist(), self.excess[bins].tolist())
        return [_mean_and_bounds(*each) for each in zip(*columns, strict=True)]

    def _bins_of(self, ranks: Int64s) -> npt.NDArray[np.intp]:
        return np.searchsorted(self._cumulative, ranks, side="right")

    @cached_property
    def _edges(self) -> Int64s:
        return edges_of(self.keys)

    @cached_property
    def _cumulative(self) -> Int64s:
        return np.cumsum(self.counts)

    @cached_property
    def negated(self) -> Histogram:
        """The histogram of the values with their signs changed."""
        found = Histogram(keys=-self.keys[::-1], counts=self.counts[::-1], excess=-self.excess[::-1])
        found.__dict__["_edges"] = -self._edges[::-1]  # as `cached_property` keeps them
        return found

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
    low, high = min(a.keys[0], b.keys[0]), max(a.keys[-1], b.keys[-1])
    counts, excess = np.zeros((2, int(high - low) + 1), dtype=np.int64)
    for part in (a, b):
        bins = part.keys - low
        counts[bins] += part.counts
        excess[bins] += part.excess
    bins = _filled(counts)
    return Histogram(keys=bins + low, counts=counts[bins], excess=excess[bins])


def _mean_and_bounds(key: int, count: int, excess: int) -> tuple[float, float, float]:
    """Of one bin. Numbers, as for the few that are asked for arrays take longer."""
    sign, magnitude = (1, key) if key >= 0 else (-1, -key)
    shift = max((magnitude >> EXACT_BITS) - 1, 0)
    near = sign * ((magnitude - (shift << EXACT_BITS)) << shift)
    mean = near + excess / count
    if excess % count == 0:
        return mean, mean, mean
    far = near + sign * ((1 << shift) - 1)
    return mean, float(min(near, far)), float(max(near, far))


def _filled(counts: npt.NDArray[np.integer] | Float64s) -> npt.NDArray[np.intp]:
    """The places that hold any. numpy finds those of booleans several times faster than those of numbers."""
    return np.flatnonzero(counts != 0)


def _halves(parts: list[Binned]) -> tuple[list[Binned], list[Binned]]:
    """Of the parts, or of the values of the only one."""
    if len(parts) > 1:
        return parts[: len(parts) // 2], parts[len(parts) // 2 :]
    (keys, excess), middle = parts[0], parts[0].keys.size // 2
    return [Binned(keys[:middle], excess[:middle])], [Binned(keys[middle:], excess[middle:])]


def _places(parts: Sequence[npt.NDArray[np.integer]], low: int) -> Int64s:
    """What each value is above `low`, for the thread's next count."""
    places, _ = scratch.of(sum(part.size for part in parts))
    end = 0
    for part in parts:
        begin, end = end, end + part.size
        np.subtract(part, low, out=places[begin:end], dtype=np.int64)
    return places


def _weights(parts: Sequence[Binned], one: int) -> Float64s:
    """`one` and the excess of each value, for the thread's next count."""
    _, weights = scratch.of(sum(part.excess.size for part in parts))
    end = 0
    for part in parts:
        begin, end = end, end + part.excess.size
        np.add(part.excess, float(one), out=weights[begin:end], dtype=np.float64)
    return weights


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
