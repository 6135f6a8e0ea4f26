"""One closed trade of a sample trader, and how a position on an index becomes one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .market import Market


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedTrade:
    """One round turn. All amounts are cents after the commission, so that mae <= pnl <= mfe and mae <= 0 <= mfe."""

    opened_at: datetime
    closed_at: datetime
    instrument: str
    quantity: int
    pnl: int
    mae: int
    mfe: int
    commission: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """An open position: `side` is 1 long, -1 short; the price is in ticks."""

    market: Market
    side: int
    quantity: int
    price: int
    opened_at: datetime

    def close(self, price: int, closed_at: datetime, *, low: int, high: int) -> ClosedTrade:
        """Close at `price`; `low` and `high` are the extremes seen while the position was open."""
        worst, best = (low, high) if self.side > 0 else (high, low)
        return booked(
            market=self.market,
            opened_at=self.opened_at,
            closed_at=closed_at,
            quantity=self.quantity,
            gains=(self._gain(price), self._gain(worst), self._gain(best)),
        )

    def _gain(self, price: int) -> int:
        return self.side * (price - self.price)


def booked(
    *, market: Market, opened_at: datetime, closed_at: datetime, quantity: int, gains: tuple[int, int, int]
) -> ClosedTrade:
    """A trade from its final, worst and best open gain, each in ticks for one contract before commission."""
    commission = quantity * market.commission_cents
    pnl, worst, best = (quantity * gain * market.tick_value_cents - commission for gain in gains)
    return ClosedTrade(
        opened_at=opened_at,
        closed_at=closed_at,
        instrument=market.instrument,
        quantity=quantity,
        pnl=pnl,
        mae=min(0, worst, pnl),
        mfe=max(0, best, pnl),
        commission=commission,
    )
