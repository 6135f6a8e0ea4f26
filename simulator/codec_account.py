"""From the message of the account's state to Account, and whether such an account has a future to simulate."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from montecarlo.v1 import rules_pb2
from simulator.checks import Checks
from simulator.codec_reader import MAX_DAYS
from simulator.money import from_minor
from simulator.spec import REACH, Account, BreachOperator, Phase, Rules, Spec


def decode_account(checks: Checks, state: rules_pb2.AccountState, rules: Rules) -> Account:
    """Where the account stands."""
    start, digits = rules.starting_balance_minor, rules.minor_digits
    balance = checks.money("account.balance", state.balance, digits) or 0
    best = _optional(checks, "account.best_day_profit", state.best_day_profit, digits) or 0
    if best < 0:
        checks.bad(
            "account.best_day_profit", f"{state.best_day_profit} is below 0: leave it out if no day made a profit"
        )
    mark = _optional(checks, "account.high_water_mark", state.high_water_mark, digits)
    return Account(
        balance_minor=balance,
        high_water_mark_minor=max(balance, start) if mark is None else mark,
        days_traded=checks.whole("account.days_traded", state.days_traded, 0, MAX_DAYS),
        qualifying_days=checks.whole("account.qualifying_days", state.qualifying_days, 0, MAX_DAYS),
        equity_minor=_optional(checks, "account.equity", state.equity, digits),
        best_day_minor=max(best, 0),
        calendar_days_used=checks.whole("account.calendar_days_used", state.calendar_days_used, 0, MAX_DAYS),
        phase=checks.whole("account.phase", state.phase, 0, len(rules.steps)) or 1,
        payouts=checks.whole("account.payouts", state.payouts, 0, MAX_DAYS),
        days_since_payout=checks.whole("account.days_since_payout", state.days_since_payout, 0, MAX_DAYS),
        profit_since_payout_minor=_optional(checks, "account.profit_since_payout", state.profit_since_payout, digits),
    )


def check_account(checks: Checks, spec: Spec) -> None:
    """Notes why an account that has ended already, or cannot be as it is said to be, has no future to simulate."""
    for field, why in (*_contradictions(spec), *_ended(spec), *_breached(spec)):
        checks.bad(field, why)


def _optional(checks: Checks, field: str, text: str, digits: int) -> int | None:
    return checks.money(field, text, digits) if text else None


def _contradictions(spec: Spec) -> Iterator[tuple[str, str]]:
    rules, account, digits = spec.rules, spec.account, spec.rules.minor_digits
    if account.high_water_mark_minor < account.balance_minor:
        yield (
            "account.high_water_mark", "is below account.balance: give the highest balance so far, or leave it out"
        )  # fmt: skip
    if any(step.target_minor is not None for step in rules.steps):
        for name in ("payout", "scaling"):
            if getattr(rules, name) is not None:
                yield f"rules.{name}", "is for a funded account, which has no target: leave out one of them"
    scaling = rules.scaling
    if scaling is not None:
        times = 1 + scaling.step_ppm * scaling.max_steps / 1_000_000
        largest = int(np.abs(spec.trades.pnl_minor).max(initial=0))
        if largest * times > REACH:
            yield (
                "rules.scaling.max_steps",
                f"grows a trade beyond {from_minor(REACH, digits)}, the most that is computed: give fewer steps",
            )


def _ended(spec: Spec) -> Iterator[tuple[str, str]]:
    account, payout = spec.account, spec.rules.payout
    for field, used, name, limit in _limits(spec.rules.steps[account.phase - 1], spec):
        if limit is not None and used >= limit:
            yield f"account.{field}", f"has used up {name} ({limit}): the account has expired"
    if payout is not None and payout.max_payouts is not None and account.payouts >= payout.max_payouts:
        yield "account.payouts", f"has used up rules.payout.max_payouts ({payout.max_payouts}): the account has ended"


def _limits(step: Phase, spec: Spec) -> Iterator[tuple[str, int, str, int | None]]:
    place = f"rules.phases[{spec.account.phase - 1}]" if spec.rules.phases else "rules"
    yield "days_traded", spec.account.days_traded, f"{place}.time_limit_days", step.time_limit_days
    calendar = step.time_limit_calendar_days
    yield "calendar_days_used", spec.account.calendar_days_used, f"{place}.time_limit_calendar_days", calendar


def _breached(spec: Spec) -> Iterator[tuple[str, str]]:
    rules, account, floor = spec.rules, spec.account, spec.present_floor_minor
    if floor is None:
        return
    room = account.balance_minor - floor
    if room < 0 or (room == 0 and rules.breach is BreachOperator.AT_OR_BELOW):
        shown = from_minor(floor, rules.minor_digits)
        why = f"is at or below the floor of the maximum drawdown ({shown}): it has breached already; check the balance,"
        yield "account.balance", f"{why} account.high_water_mark and rules.max_drawdown"
