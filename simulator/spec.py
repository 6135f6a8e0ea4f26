"""What one simulation is: trades, rules, account and settings, valid once built. Money is in minor units (cents)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from enum import Enum

REACH = 2**29
"""A path may move this many minor units from its start and from its peak; sums and differences of two fit int32."""

MAX_INDEX_SPREAD = 2**27
"""Trades times mean block length: with more, `simulator.models` could no longer draw every trade alike."""

MAX_TRADES = 100_000
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


class Model(Enum):
    """How futures are drawn from the history; `simulator.models` defines each."""

    IID = "iid"
    DAY = "day"
    STATIONARY = "stationary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One closed trade. `closed_at` is aware."""

    closed_at: datetime
    pnl_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxDrawdown:
    """The floor is a peak less `allowance_minor`, never above `lock_minor` if there is one."""

    kind: DrawdownKind
    allowance_minor: int
    lock_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyLoss:
    """The account fails when a day's loss from the prior end-of-day balance reaches `limit_minor`."""

    limit_minor: int


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
class Rules:
    """One account's rules. None: the rule does not apply. `target_minor` is the balance that passes."""

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
    trading_day: TradingDay = TradingDay()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where the account stands, at the end of a trading day."""

    balance_minor: int
    high_water_mark_minor: int
    days_traded: int = 0
    qualifying_days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to simulate. `trades_per_day` None: as in the history. `block_length` and `seed` None: chosen by the plan."""

    paths: int = 100_000
    horizon_days: int | None = None
    model: Model = Model.STATIONARY
    trades_per_day: int | None = None
    block_length: float | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Everything one simulation needs. Trades are in close order."""

    trades: tuple[Trade, ...]
    rules: Rules
    account: Account
    settings: Settings

    @property
    def present_floor_minor(self) -> int | None:
        """The floor of the maximum drawdown on the first simulated day, as a balance; None without that rule."""
        rule = self.rules.max_drawdown
        if rule is None:
            return None
        start = self.rules.starting_balance_minor
        if rule.kind is DrawdownKind.STATIC:
            return start - rule.allowance_minor
        highest = max(start, self.account.high_water_mark_minor, self.account.balance_minor)
        trailing = highest - rule.allowance_minor
        return trailing if rule.lock_minor is None else min(trailing, rule.lock_minor)
