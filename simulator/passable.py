"""Whether any path can pass at all: a bound that no draw beats. Where it says no, there is nothing to simulate.

Each phase to come takes at least one trading day, and at least as many as its minimum days, its target and its
consistency ask for: the target at so much a day as the best trade makes, times the most trades of a day, where both are
known; the best day's share s of the profit, 1/s days on a fresh account. A phase that is passed ends its day, so the
phases' days add up. A pass that this does not exclude may still be impossible.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.planning import Plan
from simulator.spec import Account, MinimumDays, Model, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pace:
    """best: the most that a trade makes, 0 if none wins, None for a fitted one. trades: the most of a day, or None."""

    best: int | None
    trades: int | None

    @property
    def of_a_day(self) -> int | None:
        """The most that a day makes; None if that has no bound."""
        if self.best == 0:
            return 0
        return None if self.best is None or self.trades is None else self.best * self.trades


def why_no_pass(plan: Plan) -> str:
    """Why no path can pass, as a clause; empty if one may, or if nothing passes by the rules."""
    at = plan.spec.account.phase - 1
    steps, left = plan.spec.rules.steps[at:], plan.days_left[at:]
    if any(step.target_minor is None for step in steps):
        return ""
    pace, total = _pace(plan), 0
    for number, (step, days) in enumerate(zip(steps, left, strict=True)):
        needed = _days_needed(plan, step, pace, under_way=number == 0)
        what = f"phase {at + number + 1}" if plan.spec.rules.phases else "a pass"
        if needed is None:
            return f"{what} takes profits that no day of {_makers(plan)} makes"
        if days is not None and needed > days:
            return f"{what} takes {needed} more trading days at least, and the time limit leaves {days}"
        total += needed
    if total > plan.horizon_days:
        return f"a pass takes {total} more trading days at least, and {plan.horizon_days} are simulated"
    return ""


def _makers(plan: Plan) -> str:
    return "this model" if plan.source.fit else "these trades"


def _pace(plan: Plan) -> _Pace:
    best = None if plan.source.fit else max(0, int(plan.source.history.pnl_minor.max()))
    longest = int(plan.history.day_trades.max())
    match plan.model:
        case Model.DAY:
            return _Pace(best=best, trades=longest)
        case Model.STATIONARY | Model.CIRCULAR:  # a day that blocks are joined in may be longer than any of the history
            ends_each_day = longest if longest == 1 else None
            return _Pace(best=best, trades=plan.spec.settings.trades_per_day or ends_each_day)
        case Model.IID | Model.NORMAL | Model.STUDENT_T:
            return _Pace(best=best, trades=plan.spec.settings.trades_per_day or longest)


def _days_needed(plan: Plan, step: Phase, pace: _Pace, *, under_way: bool) -> int | None:
    """Trading days that the phase takes at least; None if no number of them is enough."""
    account, start = plan.spec.account, plan.spec.rules.starting_balance_minor
    balance, done = (account.balance_minor, account.qualifying_days) if under_way else (start, 0)
    to_target = _to_make((step.target_minor or start) - balance, pace)
    to_qualify = _to_qualify(step.minimum_days, done, pace)
    if to_target is None or to_qualify is None:
        return None
    fresh = not under_way or _is_fresh(account, start)
    return max(1, to_target, to_qualify, _to_be_consistent(step, start) if fresh else 1)


def _to_make(gap: int, pace: _Pace) -> int | None:
    a_day = pace.of_a_day
    if gap <= 0 or a_day is None:
        return 1
    return -(-gap // a_day) if a_day else None


def _to_qualify(rule: MinimumDays | None, done: int, pace: _Pace) -> int | None:
    if rule is None or done >= rule.days:
        return 1
    a_day = pace.of_a_day
    if rule.min_profit_minor is not None and a_day is not None and a_day < rule.min_profit_minor:
        return None
    return rule.days - done


def _to_be_consistent(step: Phase, start: int) -> int:
    if step.best_day_ppm is None or (step.target_minor or start) <= start:
        return 1
    return -(-1_000_000 // step.best_day_ppm)


def _is_fresh(account: Account, start: int) -> bool:
    """Whether all of the profit at the pass is made by days to come."""
    return account.balance_minor == start
