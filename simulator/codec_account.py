"""From the message of the account's state to Account, and whether such an account has a future to simulate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from montecarlo.v1 import rules_pb2
from simulator.checks import Checks
from simulator.codec_reader import MAX_DAYS
from simulator.growth import BEYOND
from simulator.money import from_minor
from simulator.source import FITTED, trails_open_equity
from simulator.spec import (
    REACH,
    Account,
    BreachOperator,
    DailyAnchor,
    DrawdownKind,
    FloorAfterPayout,
    Phase,
    Rules,
    Spec,
)
from simulator.trades import UNKNOWN

_OR_CLOSED: Final = ", or turn settings.excursions off if only closed trades count"


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
    equity = _optional(checks, "account.equity", state.equity, digits)
    seen = [balance, start, *([equity] if equity is not None and trails_open_equity(rules) else [])]
    return Account(
        balance_minor=balance,
        high_water_mark_minor=max(seen) if mark is None else mark,
        days_traded=checks.whole("account.days_traded", state.days_traded, 0, MAX_DAYS),
        qualifying_days=checks.whole("account.qualifying_days", state.qualifying_days, 0, MAX_DAYS),
        equity_minor=equity,
        best_day_minor=max(best, 0),
        calendar_days_used=checks.whole("account.calendar_days_used", state.calendar_days_used, 0, MAX_DAYS),
        phase=checks.whole("account.phase", state.phase, 0, len(rules.steps)) or 1,
        payouts=checks.whole("account.payouts", state.payouts, 0, MAX_DAYS),
        days_since_payout=checks.whole("account.days_since_payout", state.days_since_payout, 0, MAX_DAYS),
        profit_since_payout_minor=_optional(checks, "account.profit_since_payout", state.profit_since_payout, digits),
        withdrawn_minor=_withdrawn(checks, state, rules),
    )


def _withdrawn(checks: Checks, state: rules_pb2.AccountState, rules: Rules) -> int:
    """What payouts have taken; it must be told where a static floor has fallen by it."""
    field, payout, drawdown = "account.withdrawn", rules.payout, rules.max_drawdown
    follows = payout is not None and payout.floor_after is FloorAfterPayout.FOLLOW
    if not state.withdrawn:
        if follows and state.payouts > 0 and drawdown is not None and drawdown.kind is DrawdownKind.STATIC:
            why = (
                "the floor of a STATIC drawdown has fallen by it (floor_after FOLLOW): give what all payouts have taken"
            )
            checks.bad(field, f"is missing, and account.payouts is {state.payouts}: {why}")
        return 0
    taken = _optional(checks, field, state.withdrawn, rules.minor_digits) or 0
    if taken < 0:
        checks.bad(field, f"{state.withdrawn} is below 0: give what all payouts have taken from the account")
    elif taken > 0 and payout is not None and not state.payouts:
        checks.bad(field, f"is {state.withdrawn}, but account.payouts is 0: give how many payouts took it")
    return max(taken, 0)


def check_account(checks: Checks, spec: Spec) -> None:
    """Notes why an account that has ended already, or cannot be as it is said to be, has no future to simulate."""
    for field, why in (*_contradictions(spec), *_too_far(spec), *_ended(spec), *_breached(spec)):
        checks.bad(field, why)


def _optional(checks: Checks, field: str, text: str, digits: int) -> int | None:
    return checks.money(field, text, digits) if text else None


def _contradictions(spec: Spec) -> Iterator[tuple[str, str]]:
    rules, account = spec.rules, spec.account
    if account.high_water_mark_minor < account.balance_minor:
        yield (
            "account.high_water_mark", "is below account.balance: give the highest balance so far, or leave it out"
        )  # fmt: skip
    if account.high_water_mark_minor < (account.equity_minor or 0) and trails_open_equity(rules):
        yield (
            "account.high_water_mark", "is below account.equity: give the highest equity so far, or leave it out"
        )  # fmt: skip
    if any(step.target_minor is not None for step in rules.steps):
        for name in ("payout", "scaling"):
            if getattr(rules, name) is not None:
                yield f"rules.{name}", "is for a funded account, which has no target: leave out one of them"


def _too_far(spec: Spec) -> Iterator[tuple[str, str]]:
    """Where the rules look from the balance to what lies further off than is counted exactly."""
    rules, account, digits = spec.rules, spec.account, spec.rules.minor_digits
    look_back = rules.payout is not None or rules.phases or any(step.best_day_ppm is not None for step in rules.steps)
    if look_back and account.balance_minor - rules.starting_balance_minor > REACH:
        most = from_minor(REACH, digits)
        yield (
            "account.balance",
            f"is more than {most} above rules.starting_balance, the most that is computed: check both",
        )
    far = f"is {from_minor(BEYOND, digits)} or more above account.balance, which is not computed exactly: check both"
    share = rules.max_drawdown is not None and rules.max_drawdown.peak_share_ppm is not None
    if share and account.high_water_mark_minor - account.balance_minor >= BEYOND:
        yield "account.high_water_mark", far
    daily, equity = rules.daily_loss, account.equity_minor or 0
    higher = daily is not None and daily.anchor_share_ppm and daily.anchor is DailyAnchor.HIGHER_OF_BALANCE_AND_EQUITY
    if higher and equity - account.balance_minor >= BEYOND:
        yield "account.equity", far


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
    floor = spec.present_floor_minor
    if floor is None:
        return
    shown = from_minor(floor, spec.rules.minor_digits)
    why = f"is at or below the floor of the maximum drawdown ({shown}): it has breached already; check"
    if _is_breach(spec, spec.account.balance_minor - floor):
        yield "account.balance", f"{why} the balance, account.high_water_mark and rules.max_drawdown"
    equity, or_else = spec.account.equity_minor, "" if trails_open_equity(spec.rules) else _OR_CLOSED
    if equity is not None and _tests_equity(spec) and _is_breach(spec, equity - floor):
        yield "account.equity", f"{why} the equity, account.high_water_mark and rules.max_drawdown{or_else}"


def _is_breach(spec: Spec, room: int) -> bool:
    return room < 0 or (room == 0 and spec.rules.breach is BreachOperator.AT_OR_BELOW)


def _tests_equity(spec: Spec) -> bool:
    """Whether the floor trails equity, or breaches are looked for within trades."""
    settings = spec.settings
    within = settings.excursions and settings.model not in FITTED and not (spec.trades.mae_minor == UNKNOWN).any()
    return trails_open_equity(spec.rules) or bool(within)
