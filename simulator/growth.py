"""How far scaling may grow an account: what the device counts exactly, in 32 bits and without a check of its own.

A path takes no more steps than its horizon has periods. What all of them add must fit beside any balance: to the
balance, to the distance of a floor, and to a trade. A floor that no balance reaches is left where it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from riskio.numbers import counted
from simulator.errors import FieldViolation, InvalidInput
from simulator.money import from_minor
from simulator.spec import REACH, DrawdownKind, MaxDrawdown, Rules, Spec

MILLION: Final = 1_000_000
BEYOND: Final = 2 * REACH
"""Further than the difference of any two balances within REACH."""
MOST_DEPOSITS: Final = 2**31 - 1 - REACH
"""Beside a balance within REACH."""
REMEDY: Final = "give fewer steps, a smaller step_percent or a shorter horizon"


def steps(rules: Rules, horizon_days: int) -> int:
    """The most steps of scaling that a path may take."""
    return 0 if rules.scaling is None else min(rules.scaling.max_steps, horizon_days // rules.scaling.every_days)


def millionths_to_even(amount: int, ppm: int) -> int:
    """So many millionths of the amount, rounded half to even."""
    return round(Fraction(amount * ppm, MILLION))


def deposit(rules: Rules, horizon_days: int) -> int:
    """What a step adds to the balance; 0 if there is none."""
    return _step(rules, horizon_days, rules.starting_balance_minor)


def allowance_step(spec: Spec, horizon_days: int) -> int:
    """What a step adds to the allowance; 0 if that changes nothing."""
    rule = spec.rules.max_drawdown
    return 0 if rule is None else _counted(spec, horizon_days, rule.allowance_minor, _to_floor(spec, rule))


def daily_step(spec: Spec, horizon_days: int) -> int:
    """What a step adds to the daily limit; 0 if that changes nothing."""
    rule = spec.rules.daily_loss
    return 0 if rule is None else _counted(spec, horizon_days, rule.limit_minor, rule.limit_minor)


def most_of_a_trade(rules: Rules, horizon_days: int) -> int:
    """The largest amount that all steps, each rounded, keep within REACH."""
    if rules.scaling is None:
        return REACH
    taken = steps(rules, horizon_days)
    return int((REACH - Fraction(taken, 2)) / (1 + Fraction(taken * rules.scaling.step_ppm, MILLION)))


def check_growth(spec: Spec, horizon_days: int) -> None:
    """Raises: InvalidInput if all steps add more to the balance or to a limit than is computed exactly."""
    found = [FieldViolation(field="rules.scaling.max_steps", description=why) for why in _too_far(spec, horizon_days)]
    if found:
        raise InvalidInput(found)


def _too_far(spec: Spec, horizon_days: int) -> Iterator[str]:
    taken, digits = steps(spec.rules, horizon_days), spec.rules.minor_digits
    deposits, in_steps = taken * deposit(spec.rules, horizon_days), counted(taken, "step")
    if deposits > MOST_DEPOSITS:
        most = from_minor(MOST_DEPOSITS, digits)
        yield f"adds {from_minor(deposits, digits)} to the balance in {in_steps}, more than {most}: {REMEDY}"
    for name, now, step in _floors(spec, horizon_days):
        if step and now + taken * step > BEYOND:
            away, most = from_minor(now + taken * step, digits), from_minor(BEYOND, digits)
            yield f"moves the floor of {name} {away} away in {in_steps}, more than {most}: {REMEDY}"


def _floors(spec: Spec, horizon_days: int) -> Iterator[tuple[str, int, int]]:
    """How far each floor is away, and what a step adds to that."""
    drawdown, daily = spec.rules.max_drawdown, spec.rules.daily_loss
    if drawdown is not None:
        yield "rules.max_drawdown", _to_floor(spec, drawdown), allowance_step(spec, horizon_days)
    if daily is not None:
        yield "rules.daily_loss", daily.limit_minor, daily_step(spec, horizon_days)


def _step(rules: Rules, horizon_days: int, amount: int) -> int:
    if rules.scaling is None or steps(rules, horizon_days) == 0:
        return 0
    return millionths_to_even(amount, rules.scaling.step_ppm)


def _counted(spec: Spec, horizon_days: int, amount: int, distance: int) -> int:
    """0 where the floor is too far to be reached, as it is before any step; payouts may bring it nearer."""
    reach = REACH if spec.rules.payout is None else BEYOND
    return 0 if distance > reach else _step(spec.rules, horizon_days, amount)


def _to_floor(spec: Spec, rule: MaxDrawdown) -> int:
    """How far the balance is above the floor of the maximum drawdown, its lock left out."""
    account, start = spec.account, spec.rules.starting_balance_minor
    if rule.kind is DrawdownKind.STATIC:
        return account.balance_minor - start + rule.allowance_minor + spec.lowered_minor
    peak = max(start, account.high_water_mark_minor, account.balance_minor)
    return account.balance_minor - peak + rule.allowance_minor
