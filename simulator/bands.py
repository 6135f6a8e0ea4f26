"""The equity fan, kept small: on each shown day the order statistics that its quantiles and their intervals are.

They are taken from the first paths of a simulation, which are all in its first block, so nothing of two blocks merges.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator import estimate

LEVELS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles of the balance on each shown day."""

_HEADER: Final = struct.Struct("<II")
_DAY: Final = (len(LEVELS), 3)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bands:
    """paths: how many they are of; values: int32[days, levels, 3], for each level the order statistics with the ranks
    of `estimate.order_ranks`, of which the first and the last are the ends of the interval.
    """

    paths: int
    values: npt.NDArray[np.int32]

    @staticmethod
    def of(balances: npt.NDArray[np.int32]) -> Bands | None:
        """The bands of int32[days, paths]; None without paths or days."""
        days, paths = balances.shape
        if not days or not paths:
            return None
        return Bands(paths=paths, values=np.sort(balances, axis=1)[:, _places(paths)])

    @property
    def bounds_known(self) -> npt.NDArray[np.bool_]:
        """Whether the lower and the upper end of the interval is an order statistic at all, bool[levels, 2]."""
        ranks = np.array([estimate.order_ranks(self.paths, level) for level in LEVELS])
        return np.stack([ranks[:, 0] >= 1, ranks[:, 2] <= self.paths], axis=1)

    def to_bytes(self) -> bytes:
        """The canonical serial form: equal bands give equal bytes."""
        return _HEADER.pack(self.paths, len(self.values)) + self.values.astype("<i4").tobytes()

    @staticmethod
    def from_bytes(data: bytes) -> Bands:
        """What `to_bytes` gave.

        Raises: struct.error if it is cut short.
        """
        paths, days = _HEADER.unpack_from(data)
        if len(data) - _HEADER.size != days * _DAY[0] * _DAY[1] * 4:
            raise struct.error("the bands of a fan are cut short")
        values = np.frombuffer(data, "<i4", offset=_HEADER.size).reshape(days, *_DAY)
        return Bands(paths=paths, values=values.astype(np.int32))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bands) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())


def _places(paths: int) -> npt.NDArray[np.int64]:
    """Where the order statistics are in the sorted values, int64[levels, 3]; the nearest one where there is none."""
    return np.clip([estimate.order_ranks(paths, level) for level in LEVELS], 1, paths) - 1
