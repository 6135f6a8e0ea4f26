"""What one simulation is: trades, rules, account and settings, valid once built. Money is in minor units (cents)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from enum import Enum

from simulator.trades import Trades

REACH = 2**29
"""A path may move this many minor units from its start and from its peak; sums and differences of two fit int32."""

MAX_INDEX_SPREAD = 2**27
"""Trades times mean block length: with more, `simulator.kernel.models` could no longer draw every trade alike."""

MAX_TRADES = 1_000_000
MAX_PATHS = 10**10
MAX_HORIZON_DAYS = 10_000
MAX_TRADES_A_PATH = 2**28 - 1
"""The kernel counts no further."""
MAX_TRADES_PER_DAY = 10_000


class DrawdownKind(Enum):
    """How the floor of the maximum drawdown moves."""

    STATIC = "static"
    TRAILING_END_OF_DAY = "trailing_end_of_day"
    TRAILING_INTRADAY = "trailing_intraday"


class BreachOperator(Enum):
    """Whether a balance exactly at a floor is a breach."""

    AT_OR_BELOW = "at_or_below"
    BELOW = "below"


class DailyAnchor(Enum):
    """The balance from which a day's loss is counted."""

    PRIOR_BALANCE = "prior_balance"
    HIGHER_OF_BALANCE_AND_EQUITY = "higher_of_balance_and_equity"


class DailyAction(Enum):
    """What a daily loss beyond the limit does."""

    FAIL = "fail"
    PAUSE = "pause"


class FloorAfterPayout(Enum):
    """What a payout does to the floor of the maximum drawdown."""

    KEEP = "keep"
    FOLLOW = "follow"
    START = "start"


class Model(Enum):
    """How futures are drawn from the history; `simulator.kernel.models` defines each."""

    IID = "iid"
    DAY = "day"
    STATIONARY = "stationary"
    CIRCULAR = "circular"
    NORMAL = "normal"
    STUDENT_T = "student_t"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxDrawdown:
    """The floor is a peak less the allowance, never above `lock_minor` if there is one.

    The allowance is `allowance_minor`, or `peak_share_ppm` millionths of the peak; then `allowance_minor` is 0.
    """

    kind: DrawdownKind
    allowance_minor: int
    lock_minor: int | None = None
    peak_share_ppm: int | None = None

    @property
    def trails_equity(self) -> bool:
        """Whether the peak is of equity, and not of balances alone."""
        return self.kind is DrawdownKind.TRAILING_INTRADAY


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyLoss:
    """The most a day may lose from its anchor: `limit_minor`, or `anchor_share_ppm` millionths of the anchor."""

    limit_minor: int
    anchor: DailyAnchor = DailyAnchor.PRIOR_BALANCE
    action: DailyAction = DailyAction.FAIL
    anchor_share_ppm: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingDay:
    """When the trading day turns: a wall-clock time in an IANA zone."""

    reset_time: time = time(0, 0)
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimumDays:
    """A pass is held back until `days` days qualify; with `min_profit_minor` only days of that profit do."""

    days: int
    min_profit_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One step of an assessment, from a fresh account. `target_minor` is the balance that passes, None: nothing does.

    best_day_ppm: the most that the best day may have made, in millionths of the total profit (consistency).
    """

    target_minor: int | None
    minimum_days: MinimumDays | None = None
    time_limit_days: int | None = None
    time_limit_calendar_days: int | None = None
    best_day_ppm: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """Withdrawals of a funded account, looked at when a day ends; as `montecarlo.v1.Payout`, shares in millionths.

    The last of `caps_minor` and of `splits_ppm` holds for all later payouts; no caps: none, no splits: all of it.
    """

    floor_minor: int
    every_days: int = 0
    minimum_days: MinimumDays | None = None
    best_day_ppm: int | None = None
    profit_share_ppm: int = 1_000_000
    least_minor: int = 1
    caps_minor: tuple[int, ...] = ()
    splits_ppm: tuple[int, ...] = ()
    floor_after: FloorAfterPayout = FloorAfterPayout.KEEP
    max_payouts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Growth by `step_ppm` millionths of the starting balance after a period that made `min_profit_minor`."""

    every_days: int
    min_profit_minor: int
    step_ppm: int
    max_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One account's rules. None: the rule does not apply. `target_minor` is the balance that passes.

    With `phases` (two or more), what passes and ends an account is in them, and not here: see `steps`.
    """

    version: str = ""
    currency: str = "USD"
    minor_digits: int = 2
    starting_balance_minor: int
    breach: BreachOperator = BreachOperator.AT_OR_BELOW
    max_drawdown: MaxDrawdown | None = None
    daily_loss: DailyLoss | None = None
    target_minor: int | None = None
    minimum_days: MinimumDays | None = None
    time_limit_days: int | None = None
    time_limit_calendar_days: int | None = None
    best_day_ppm: int | None = None
    phases: tuple[Phase, ...] = ()
    payout: Payout | None = None
    scaling: Scaling | None = None
    trading_day: TradingDay = TradingDay()

    @property
    def steps(self) -> tuple[Phase, ...]:
        """The phases, or the one step that the rules without phases are."""
        return self.phases or (
            Phase(
                target_minor=self.target_minor,
                minimum_days=self.minimum_days,
                time_limit_days=self.time_limit_days,
                time_limit_calendar_days=self.time_limit_calendar_days,
                best_day_ppm=self.best_day_ppm,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where the account stands, at the end of a trading day.

    `equity_minor` None: the balance. `phase` counts from 1. `qualifying_days` and `best_day_minor` are of the phase, or
    since the last payout. `profit_since_payout_minor` None: balance less starting balance. `withdrawn_minor`: what all
    payouts so far have taken.
    """

    balance_minor: int
    high_water_mark_minor: int
    days_traded: int = 0
    qualifying_days: int = 0
    equity_minor: int | None = None
    best_day_minor: int = 0
    calendar_days_used: int = 0
    phase: int = 1
    payouts: int = 0
    days_since_payout: int = 0
    profit_since_payout_minor: int | None = None
    withdrawn_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stress:
    """What is made worse than the history, applied in this order; the defaults change nothing."""

    volatility_factor: float = 1.0
    loss_factor: float = 1.0
    cost_minor: int = 0
    fewer_winners: float = 0.0
    worst_day: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A what-if on the same random numbers. `stress` None: that of the settings."""

    name: str
    stress: Stress | None = None
    limits_factor: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionTarget:
    """The half-width of the 95% interval to reach; `outcome` is the name of a field of `Outcomes`."""

    outcome: str
    half_width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimationRisk:
    """Resampled histories, and paths on each."""

    histories: int
    paths: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to simulate. `trades_per_day` None: as in the history. `block_length` and `seed` None: chosen by the plan.

    rare_events: importance sampling where plain sampling saw few breaches. excursions: breaches are looked for within
    trades where every trade has its MAE.
    """

    paths: int = 100_000
    horizon_days: int | None = None
    model: Model = Model.STATIONARY
    trades_per_day: int | None = None
    block_length: float | None = None
    seed: int | None = None
    stress: Stress = Stress()
    scenarios: tuple[Scenario, ...] = ()
    precision: tuple[PrecisionTarget, ...] = ()
    time_budget_s: float | None = None
    estimation_risk: EstimationRisk | None = None
    rare_events: bool = True
    excursions: bool = True
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Everything one simulation needs."""

    trades: Trades
    rules: Rules
    account: Account
    settings: Settings

    @property
    def present_peak_minor(self) -> int:
        """What a trailing floor trails at first: the highest balance that is known of, or equity if it trails that."""
        rule, account = self.rules.max_drawdown, self.account
        peak = max(self.rules.starting_balance_minor, account.high_water_mark_minor, account.balance_minor)
        if rule is None or not rule.trails_equity or account.equity_minor is None:
            return peak
        return max(peak, account.equity_minor)

    @property
    def present_floor_minor(self) -> int | None:
        """The floor of the maximum drawdown on the first simulated day, as a balance; None without that rule."""
        rule = self.rules.max_drawdown
        if rule is None:
            return None
        start = self.rules.starting_balance_minor
        payout = self.rules.payout
        if payout is not None and payout.floor_after is FloorAfterPayout.START and self.account.payouts:
            return start
        if rule.kind is DrawdownKind.STATIC:
            return start - rule.allowance_minor - self.lowered_minor
        highest = self.present_peak_minor
        trailing = highest - rule.allowance_minor
        if rule.peak_share_ppm is not None:
            trailing = self._share_of(highest, 1_000_000 - rule.peak_share_ppm)
        return trailing if rule.lock_minor is None else min(trailing, rule.lock_minor)

    @property
    def lowered_minor(self) -> int:
        """How far payouts made before now have lowered the floor of a static drawdown."""
        payout = self.rules.payout
        follows = payout is not None and payout.floor_after is FloorAfterPayout.FOLLOW
        return self.account.withdrawn_minor if follows else 0

    def _share_of(self, balance: int, ppm: int) -> int:
        """Rounded to the side that changes no test."""
        if self.rules.breach is BreachOperator.AT_OR_BELOW:
            return balance * ppm // 1_000_000
        return -(-balance * ppm // 1_000_000)
