"""From the message of the account's rules to Rules: percentages become exact amounts, names become kinds."""

from __future__ import annotations

import re
from datetime import time
from decimal import ROUND_CEILING, ROUND_FLOOR
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from montecarlo.v1 import rules_pb2
from simulator.checks import Checks
from simulator.money import NotAnAmount, minor_digits
from simulator.spec import BreachOperator, DailyLoss, DrawdownKind, MaxDrawdown, MinimumDays, Rules, TradingDay

MAX_DAYS: Final = 2**31 - 1

_KINDS: Final[dict[int, DrawdownKind]] = {
    rules_pb2.DRAWDOWN_KIND_STATIC: DrawdownKind.STATIC,
    rules_pb2.DRAWDOWN_KIND_TRAILING_END_OF_DAY: DrawdownKind.TRAILING_END_OF_DAY,
    rules_pb2.DRAWDOWN_KIND_TRAILING_INTRADAY: DrawdownKind.TRAILING_INTRADAY,
}
_BREACHES: Final[dict[int, BreachOperator]] = {
    rules_pb2.BREACH_OPERATOR_UNSPECIFIED: BreachOperator.AT_OR_BELOW,
    rules_pb2.BREACH_OPERATOR_AT_OR_BELOW: BreachOperator.AT_OR_BELOW,
    rules_pb2.BREACH_OPERATOR_BELOW: BreachOperator.BELOW,
}
_ANCHORS: Final = (rules_pb2.DAILY_LOSS_ANCHOR_UNSPECIFIED, rules_pb2.DAILY_LOSS_ANCHOR_PRIOR_BALANCE)
_ACTIONS: Final = (rules_pb2.DAILY_LOSS_ACTION_UNSPECIFIED, rules_pb2.DAILY_LOSS_ACTION_FAIL)
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


class AmountOrPercent(Protocol):
    """The part that three rules share."""

    amount: str
    percent: str


class Reader:
    """Reads amounts of one account: its currency and starting balance are known."""

    def __init__(self, checks: Checks, digits: int, start: int) -> None:
        """`start` is the starting balance in minor units."""
        self.checks, self.digits, self.start = checks, digits, start

    def share(self, field: str, rule: AmountOrPercent, rounding: str, most: int | None = 100) -> int | None:
        """The amount, or the percentage of the starting balance rounded to a minor unit; None if bad.

        Balances are whole minor units, so a threshold rounded towards the side that changes no test is exact.
        """
        if bool(rule.amount) == bool(rule.percent):
            self.checks.bad(field, "needs exactly one of amount and percent")
            return None
        if rule.amount:
            return self.checks.positive_money(f"{field}.amount", rule.amount, self.digits)
        percent = self.checks.percent(f"{field}.percent", rule.percent, most=most)
        return None if percent is None else int((self.start * percent / 100).to_integral_value(rounding))


def decode_rules(checks: Checks, message: rules_pb2.AccountRules) -> Rules:
    """The rules; what is bad is noted, and replaced so that reading can go on."""
    currency = message.currency or "USD"
    digits = _digits(checks, currency)
    start = checks.positive_money("rules.starting_balance", message.starting_balance, digits) or 1
    breach = checks.kind("rules.breach", message.breach, _BREACHES) or BreachOperator.AT_OR_BELOW
    # A floor at B0 - L is tested as b <= floor(B0 - L) or as b < ceil(B0 - L).
    allowance_rounding = ROUND_CEILING if breach is BreachOperator.AT_OR_BELOW else ROUND_FLOOR
    reader = Reader(checks, digits, start)
    return Rules(
        version=message.version,
        currency=currency,
        minor_digits=digits,
        starting_balance_minor=start,
        breach=breach,
        max_drawdown=_max_drawdown(reader, message.max_drawdown, allowance_rounding)
        if message.HasField("max_drawdown") else None,
        daily_loss=_daily_loss(reader, message.daily_loss, allowance_rounding)
        if message.HasField("daily_loss") else None,
        target_minor=_target(reader, message.profit_target) if message.HasField("profit_target") else None,
        minimum_days=_minimum_days(reader, message.minimum_days) if message.HasField("minimum_days") else None,
        time_limit_days=checks.whole("rules.time_limit_days", message.time_limit_days, 0, MAX_DAYS) or None,
        trading_day=_trading_day(checks, message.daily_loss),
    )  # fmt: skip


def _digits(checks: Checks, currency: str) -> int:
    try:
        return minor_digits(currency)
    except NotAnAmount as reason:
        checks.bad("rules.currency", str(reason))
        return 2


def _max_drawdown(reader: Reader, rule: rules_pb2.MaxDrawdown, rounding: str) -> MaxDrawdown | None:
    kind = reader.checks.kind("rules.max_drawdown.kind", rule.kind, _KINDS)
    allowance = reader.share("rules.max_drawdown", rule, rounding)
    lock = None
    if rule.lock_balance:
        lock = reader.checks.money("rules.max_drawdown.lock_balance", rule.lock_balance, reader.digits)
        if kind is DrawdownKind.STATIC:
            reader.checks.bad("rules.max_drawdown.lock_balance", "has no meaning for STATIC: leave it out")
    return (
        None
        if kind is None or allowance is None
        else MaxDrawdown(kind=kind, allowance_minor=allowance, lock_minor=lock)
    )


def _daily_loss(reader: Reader, rule: rules_pb2.DailyLoss, rounding: str) -> DailyLoss | None:
    if rule.anchor not in _ANCHORS:
        reader.checks.bad(
            "rules.daily_loss.anchor", f"{rule.anchor} is not one of the values it can have: PRIOR_BALANCE"
        )
    if rule.action not in _ACTIONS:
        reader.checks.bad("rules.daily_loss.action", f"{rule.action} is not one of the values it can have: FAIL")
    limit = reader.share("rules.daily_loss", rule, rounding)
    return None if limit is None else DailyLoss(limit_minor=limit)


def _trading_day(checks: Checks, rule: rules_pb2.DailyLoss) -> TradingDay:
    zone, reset = rule.time_zone or "UTC", rule.reset_time or "00:00"
    clock = _CLOCK.fullmatch(reset)
    if not clock:
        checks.bad("rules.daily_loss.reset_time", f"{reset!r} is not a time of day: write it like 17:00")
    if not _is_zone(zone):
        checks.bad("rules.daily_loss.time_zone", f"{zone!r} is not an IANA time zone: write it like America/New_York")
        zone = "UTC"
    at = time(int(clock[1]), int(clock[2])) if clock else time(0)
    return TradingDay(reset_time=at, time_zone=zone)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _target(reader: Reader, rule: rules_pb2.ProfitTarget) -> int | None:
    profit = reader.share("rules.profit_target", rule, ROUND_CEILING, most=None)
    return None if profit is None else reader.start + profit


def _minimum_days(reader: Reader, rule: rules_pb2.MinimumDays) -> MinimumDays:
    field = "rules.minimum_days"
    profit = (
        reader.checks.positive_money(f"{field}.min_profit", rule.min_profit, reader.digits) if rule.min_profit else None
    )
    return MinimumDays(days=reader.checks.whole(f"{field}.days", rule.days, 1, MAX_DAYS), min_profit_minor=profit)
