"""From the message of the account's rules to Rules: percentages become exact amounts, names become kinds.

Here are the limits; what an assessment asks for is in `simulator.codec_steps`, what a funded account has in
`simulator.codec_funded`.
"""

from __future__ import annotations

import re
from datetime import time
from decimal import ROUND_CEILING, ROUND_FLOOR
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from montecarlo.v1 import rules_pb2
from riskio.currencies import UnknownCurrency, minor_digits
from simulator import codec_funded, codec_steps
from simulator.checks import Checks
from simulator.codec_reader import AmountOrPercent, Reader
from simulator.spec import (
    BreachOperator,
    DailyAction,
    DailyAnchor,
    DailyLoss,
    DrawdownKind,
    MaxDrawdown,
    Rules,
    TradingDay,
)

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
_ANCHORS: Final[dict[int, DailyAnchor]] = {
    rules_pb2.DAILY_LOSS_ANCHOR_UNSPECIFIED: DailyAnchor.PRIOR_BALANCE,
    rules_pb2.DAILY_LOSS_ANCHOR_PRIOR_BALANCE: DailyAnchor.PRIOR_BALANCE,
    rules_pb2.DAILY_LOSS_ANCHOR_HIGHER_OF_BALANCE_AND_EQUITY: DailyAnchor.HIGHER_OF_BALANCE_AND_EQUITY,
}
_ACTIONS: Final[dict[int, DailyAction]] = {
    rules_pb2.DAILY_LOSS_ACTION_UNSPECIFIED: DailyAction.FAIL,
    rules_pb2.DAILY_LOSS_ACTION_FAIL: DailyAction.FAIL,
    rules_pb2.DAILY_LOSS_ACTION_PAUSE: DailyAction.PAUSE,
}
USUAL_CURRENCY: Final = "USD"
"""The account's, where the rules name none."""

_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


def decode_rules(checks: Checks, message: rules_pb2.AccountRules) -> Rules:
    """The rules; what is bad is noted, and replaced so that reading can go on."""
    currency = message.currency or USUAL_CURRENCY
    digits = _digits(checks, currency)
    start = checks.positive_money("rules.starting_balance", message.starting_balance, digits) or 1
    breach = checks.kind("rules.breach", message.breach, _BREACHES) or BreachOperator.AT_OR_BELOW
    # A floor at B0 - L is tested as b <= floor(B0 - L) or as b < ceil(B0 - L).
    allowance_rounding = ROUND_CEILING if breach is BreachOperator.AT_OR_BELOW else ROUND_FLOOR
    reader = Reader(checks, digits, start)
    step = codec_steps.step(reader, "rules", message)
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
        phases=codec_steps.phases(reader, message),
        payout=codec_funded.payout(reader, message.payout) if message.HasField("payout") else None,
        scaling=codec_funded.scaling(reader, message.scaling) if message.HasField("scaling") else None,
        trading_day=_trading_day(checks, message),
        target_minor=step.target_minor,
        minimum_days=step.minimum_days,
        time_limit_days=step.time_limit_days,
        time_limit_calendar_days=step.time_limit_calendar_days,
        best_day_ppm=step.best_day_ppm,
    )  # fmt: skip


def _digits(checks: Checks, currency: str) -> int:
    try:
        return minor_digits(currency)
    except UnknownCurrency as reason:
        checks.bad("rules.currency", str(reason))
        return 2


def _max_drawdown(reader: Reader, rule: rules_pb2.MaxDrawdown, rounding: str) -> MaxDrawdown | None:
    field = "rules.max_drawdown"
    kind = reader.checks.kind(f"{field}.kind", rule.kind, _KINDS)
    moving = ("percent_of_high_water_mark", rule.percent_of_high_water_mark)
    limit = _limit(reader, field, rule, moving, rounding)
    lock = None
    if rule.lock_balance:
        lock = reader.checks.money(f"{field}.lock_balance", rule.lock_balance, reader.digits)
    if kind is DrawdownKind.STATIC:
        for name in ("lock_balance", "percent_of_high_water_mark"):
            if getattr(rule, name):
                reader.checks.bad(f"{field}.{name}", "has no meaning for STATIC: leave it out, or use a trailing kind")
    if kind is None or limit is None:
        return None
    return MaxDrawdown(kind=kind, allowance_minor=limit[0], lock_minor=lock, peak_share_ppm=limit[1])


def _daily_loss(reader: Reader, rule: rules_pb2.DailyLoss, rounding: str) -> DailyLoss | None:
    field = "rules.daily_loss"
    anchor = reader.checks.kind(f"{field}.anchor", rule.anchor, _ANCHORS) or DailyAnchor.PRIOR_BALANCE
    action = reader.checks.kind(f"{field}.action", rule.action, _ACTIONS) or DailyAction.FAIL
    limit = _limit(reader, field, rule, ("percent_of_anchor", rule.percent_of_anchor), rounding)
    if limit is None:
        return None
    return DailyLoss(limit_minor=limit[0], anchor=anchor, action=action, anchor_share_ppm=limit[1])


def _limit(
    reader: Reader, field: str, rule: AmountOrPercent, moving: tuple[str, str], rounding: str
) -> tuple[int, int | None] | None:
    """A fixed amount, or 0 and the millionths of what moves, the third choice; None if it is bad."""
    name, percent = moving
    if percent and not (rule.amount or rule.percent):
        ppm = reader.checks.millionths(f"{field}.{name}", percent, of_one=100)
        return None if ppm is None else (0, ppm)
    amount = reader.share(field, rule, rounding, third=moving)
    return None if amount is None else (amount, None)


def _trading_day(checks: Checks, message: rules_pb2.AccountRules) -> TradingDay:
    """As the daily loss says, or the trading day alone."""
    field, rule = "rules.daily_loss", message.daily_loss
    if message.HasField("trading_day"):
        if message.HasField("daily_loss"):
            checks.bad("rules.trading_day", "is for rules without a daily loss: give rules.daily_loss.reset_time and"
                       " time_zone instead")  # fmt: skip
        else:
            return _turns(checks, "rules.trading_day", message.trading_day.time_zone, message.trading_day.reset_time)
    return _turns(checks, field, rule.time_zone, rule.reset_time)


def _turns(checks: Checks, field: str, time_zone: str, reset_time: str) -> TradingDay:
    zone, reset = time_zone or "UTC", reset_time or "00:00"
    clock = _CLOCK.fullmatch(reset)
    if not clock:
        checks.bad(f"{field}.reset_time", f"{reset!r} is not a time of day: write it like 17:00")
    if not _is_zone(zone):
        checks.bad(f"{field}.time_zone", f"{zone!r} is not an IANA time zone: write it like America/New_York")
        zone = "UTC"
    at = time(int(clock[1]), int(clock[2])) if clock else time(0)
    return TradingDay(reset_time=at, time_zone=zone)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
