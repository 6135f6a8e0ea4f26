"""The trades of a history, kept in columns: a nightly batch reads hundreds of thousands of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, overload

import numpy as np
import numpy.typing as npt

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
A_SECOND: Final = 1_000_000
UNKNOWN: Final = -(2**31)
"""Where the worst or the best open P&L of a trade is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One closed trade. `closed_at` is aware. The worst open P&L (MAE) is ≤ 0, the best (MFE) ≥ 0; None: not known."""

    closed_at: datetime
    pnl_minor: int
    mae_minor: int | None = None
    mfe_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trades(Sequence[Trade]):
    """Trades in close order; all columns of one length.

    closed_at: int64, microseconds since 1970, UTC; pnl_minor, mae_minor, mfe_minor: int32, the last two UNKNOWN where
    that is not known.
    """

    closed_at: Int64s
    pnl_minor: Int32s
    mae_minor: Int32s
    mfe_minor: Int32s

    @staticmethod
    def of(trades: Iterable[Trade]) -> Trades:
        """These trades, which stand in close order."""
        rows = [(microseconds(each.closed_at), each.pnl_minor, each.mae_minor, each.mfe_minor) for each in trades]
        closed_at, pnl, mae, mfe = zip(*rows, strict=True) if rows else ((), (), (), ())
        return Trades(
            closed_at=np.array(closed_at, np.int64),
            pnl_minor=np.array(pnl, np.int32),
            mae_minor=np.array([UNKNOWN if each is None else each for each in mae], np.int32),
            mfe_minor=np.array([UNKNOWN if each is None else each for each in mfe], np.int32),
        )

    def __len__(self) -> int:
        return int(self.pnl_minor.size)

    @overload
    def __getitem__(self, index: int) -> Trade: ...

    @overload
    def __getitem__(self, index: slice) -> Trades: ...

    def __getitem__(self, index: int | slice) -> Trade | Trades:
        if isinstance(index, slice):
            return Trades(
                closed_at=self.closed_at[index],
                pnl_minor=self.pnl_minor[index],
                mae_minor=self.mae_minor[index],
                mfe_minor=self.mfe_minor[index],
            )
        return Trade(
            closed_at=instant(int(self.closed_at[index])),
            pnl_minor=int(self.pnl_minor[index]),
            mae_minor=_known(int(self.mae_minor[index])),
            mfe_minor=_known(int(self.mfe_minor[index])),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trades) and all(map(np.array_equal, self._columns, other._columns))

    def __hash__(self) -> int:
        return hash(tuple(column.tobytes() for column in self._columns))

    @property
    def _columns(self) -> tuple[Int64s | Int32s, ...]:
        return self.closed_at, self.pnl_minor, self.mae_minor, self.mfe_minor

    @property
    def duplicates(self) -> int:
        """Trades that equal an earlier one in time and amounts."""
        suspects = np.flatnonzero(np.diff(self.closed_at) == 0)
        if not suspects.size:
            return 0
        rows = np.stack(self._columns)
        return len(self) - int(np.unique(rows, axis=1).shape[1])


def microseconds(at: datetime) -> int:
    """Of an instant, since 1970."""
    return (at - EPOCH) // MICROSECOND


def instant(at: int) -> datetime:
    """The instant so many microseconds after 1970."""
    return EPOCH + timedelta(microseconds=at)


def _known(amount: int) -> int | None:
    return None if amount == UNKNOWN else amount
