"""The floors of the maximum drawdown and of the day, the peak that one of them trails, and what breaches them."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from simulator.spec import BreachOperator, DrawdownKind
from tests.reference.standing import MILLION, Standing, sized

MAX_DRAWDOWN, DAILY_LOSS = "max drawdown", "daily loss"


def trails_at_once(account: Standing) -> bool:
    """Whether the peak is of equity, seen at every trade."""
    rule = account.rules.max_drawdown
    return rule is not None and rule.kind is DrawdownKind.TRAILING_INTRADAY


def trails_overnight(account: Standing) -> bool:
    """Whether the peak is of balances at the end of a day."""
    rule = account.rules.max_drawdown
    return rule is not None and rule.kind is DrawdownKind.TRAILING_END_OF_DAY


def drawdown_floor(account: Standing) -> Fraction | None:
    """The floor of the maximum drawdown, or None without that rule."""
    rule = account.rules.max_drawdown
    if rule is None:
        return None
    if account.floor_at_start:
        return Fraction(account.starting_balance)
    if rule.kind is DrawdownKind.STATIC:
        return Fraction(account.starting_balance - sized(account, rule.allowance_minor) - account.lowered)
    return locked(account, trailing_floor(account))


def trailing_floor(account: Standing) -> Fraction:
    """What trails the peak: a share of it, or a fixed allowance below."""
    rule = account.rules.max_drawdown
    assert rule is not None
    if rule.peak_share_ppm is not None:
        return account.peak * (1 - Fraction(rule.peak_share_ppm, MILLION))
    return Fraction(account.peak - sized(account, rule.allowance_minor))


def locked(account: Standing, trailing: Fraction) -> Fraction:
    """A trailing floor is never above its lock."""
    rule = account.rules.max_drawdown
    assert rule is not None
    return trailing if rule.lock_minor is None else min(trailing, Fraction(rule.lock_minor + account.deposits))


def daily_floor(account: Standing) -> Fraction | None:
    """The floor of the day, or None without that rule."""
    rule = account.rules.daily_loss
    if rule is None:
        return None
    if rule.anchor_share_ppm is not None:
        return account.anchor * (1 - Fraction(rule.anchor_share_ppm, MILLION))
    return Fraction(account.anchor - sized(account, rule.limit_minor))


def breaches(balance: int, level: Fraction | None, operator: BreachOperator) -> bool:
    """Whether the balance is at or below (or only below) the floor."""
    if level is None:
        return False
    return balance <= level if operator is BreachOperator.AT_OR_BELOW else balance < level


def highest_in_breach(level: Fraction, operator: BreachOperator) -> int:
    """The highest balance that breaches the floor."""
    return floor(level) if operator is BreachOperator.AT_OR_BELOW else ceil(level) - 1


def breached(account: Standing, low: int) -> list[tuple[str, Fraction]]:
    """Every floor that this low breaches, in the order in which they are tested."""
    floors = [(MAX_DRAWDOWN, drawdown_floor(account)), (DAILY_LOSS, daily_floor(account))]
    operator = account.rules.breach
    return [(name, level) for name, level in floors if level is not None and breaches(low, level, operator)]
