"""What is static in a compiled kernel: which rules are on, how trades are drawn, how many paths run together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from simulator.spec import DailyAction, DrawdownKind, FloorAfterPayout, Model


class Pass(Enum):
    """What a pass needs besides the target's balance."""

    NEVER = "never"
    TARGET = "target"
    DAYS = "days"
    PROFITABLE_DAYS = "profitable_days"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutFeatures:
    """Which parts of the payout rule are on. Its days, its floor and its least amount always are."""

    qualifying_days: bool = False
    best_day: bool = False
    profit_share: bool = False
    caps: bool = False
    splits: bool = False
    floor_after: FloorAfterPayout = FloorAfterPayout.KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Which rules are compiled in; a rule left out costs nothing.

    peak_share, anchor_share: the allowance, the daily limit, is a share of the peak, of the anchor. open_equity: the
    first day's anchor is not the balance. best_day: a pass must be consistent. excursions: trades have a low, and for
    a floor that trails intraday a high.
    """

    drawdown: DrawdownKind | None = None
    peak_share: bool = False
    daily_loss: DailyAction | None = None
    anchor_share: bool = False
    open_equity: bool = False
    passes: Pass = Pass.NEVER
    best_day: bool = False
    phases: bool = False
    payouts: PayoutFeatures | None = None
    scaling: bool = False
    excursions: bool = False

    @property
    def trails(self) -> bool:
        """Whether the floor trails a peak."""
        return self.drawdown in {DrawdownKind.TRAILING_END_OF_DAY, DrawdownKind.TRAILING_INTRADAY}

    @property
    def pauses(self) -> bool:
        """Whether a day's loss pauses trading."""
        return self.daily_loss is DailyAction.PAUSE

    @property
    def settles(self) -> bool:
        """Whether more happens at the end of a day than that a floor trails."""
        return self.skips or self.counts_days or self.keeps_best_day or self.payouts is not None or self.scaling

    @property
    def skips(self) -> bool:
        """Whether trades may be drawn and not taken."""
        return self.pauses or self.phases

    @property
    def counts_days(self) -> bool:
        """Whether qualifying days are counted."""
        return self.passes is Pass.PROFITABLE_DAYS or (self.payouts is not None and self.payouts.qualifying_days)

    @property
    def keeps_best_day(self) -> bool:
        """Whether the best day's profit is kept."""
        return self.best_day or (self.payouts is not None and self.payouts.best_day)

    @property
    def opens_days(self) -> bool:
        """Whether a rule looks at the balance at the start of the day."""
        return self.daily_loss is not None or self.counts_days or self.keeps_best_day


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is static in a compilation. `fixed_days`: every day has `Tables.trades_per_day` trades.

    lanes: the most paths of a block; tile: how many are visited at a time, a divisor of `lanes`. With a fan, all.
    pairs: of steps that a visit always takes, or None: a few, and none beyond the last step that all paths share.
    """

    features: Features
    model: Model
    fixed_days: bool
    lanes: int
    tile: int
    pairs: int | None = None
