"""What happens to a funded account at the end of a day: payouts, and scaling."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.spec import DrawdownKind, FloorAfterPayout, Payout
from tests.reference.passing import qualifies
from tests.reference.standing import MILLION, Standing, share


def count_for_payout(account: Standing) -> None:
    """The day that ends counts towards the next payout."""
    rule = account.rules.payout
    account.days_since += 1
    account.qualifying_since += qualifies(account.today, None if rule is None else rule.minimum_days)
    account.best_day_since = max(account.best_day_since, account.today)


def pay_out(account: Standing) -> int:
    """Makes a payout if there is to be one; what the trader gets of it."""
    rule = account.rules.payout
    if rule is None or not gates_hold(account, rule):
        return 0
    amount = withdrawable(account, rule)
    if amount < max(rule.least_minor, 1):
        return 0
    split = of_number(rule.splits_ppm, account.payouts)
    withdraw(account, rule, amount)
    return amount if split is None else amount * split // MILLION


def gates_hold(account: Standing, rule: Payout) -> bool:
    """Whether days, consistency and balance allow a payout."""
    enough_days = account.days_since >= rule.every_days
    enough_qualify = rule.minimum_days is None or account.qualifying_since >= rule.minimum_days.days
    above_floor = account.balance > floor_balance(account, rule)
    return enough_days and enough_qualify and above_floor and payout_is_consistent(account, rule)


def payout_is_consistent(account: Standing, rule: Payout) -> bool:
    """Whether no day since the last payout made too much of the P&L since then."""
    made = account.earned - account.earned_at_payout
    return rule.best_day_ppm is None or account.best_day_since * MILLION <= rule.best_day_ppm * made


def floor_balance(account: Standing, rule: Payout) -> int:
    """What must stay in the account."""
    return rule.floor_minor + account.deposits


def withdrawable(account: Standing, rule: Payout) -> int:
    """What a payout would take."""
    spare = account.balance - floor_balance(account, rule)
    of_profit = rule.profit_share_ppm * (account.balance - account.starting_balance) // MILLION
    cap = of_number(rule.caps_minor, account.payouts)
    return min(spare, of_profit) if cap is None else min(spare, of_profit, cap)


def of_number(ladder: Sequence[int], payouts: int) -> int | None:
    """What holds for the payout after so many; the last entry holds for all later ones."""
    return ladder[min(payouts, len(ladder) - 1)] if ladder else None


def withdraw(account: Standing, rule: Payout, amount: int) -> None:
    """Takes the amount, starts the counts anew and treats the floor as the rule says."""
    account.balance -= amount
    account.withdrawals += amount
    account.payouts += 1
    account.days_since = account.qualifying_since = account.best_day_since = 0
    account.earned_at_payout = account.earned
    if rule.floor_after is FloorAfterPayout.START:
        account.floor_at_start = True
    if rule.floor_after is FloorAfterPayout.FOLLOW:
        lower_floor(account, amount)


def lower_floor(account: Standing, amount: int) -> None:
    """A static floor falls by the amount; of a trailing one, the peak."""
    drawdown = account.rules.max_drawdown
    if drawdown is not None and drawdown.kind is DrawdownKind.STATIC:
        account.lowered += amount
    else:
        account.peak -= amount


def all_paid(account: Standing) -> bool:
    """Whether the last payout that there may be was made."""
    rule = account.rules.payout
    return rule is not None and rule.max_payouts is not None and account.payouts >= rule.max_payouts


def scale(account: Standing) -> None:
    """At the end of a period that made enough, the account grows by one step; then a new period begins."""
    rule = account.rules.scaling
    if rule is None or account.days_here % rule.every_days != 0:
        return
    if account.earned - account.earned_at_period >= rule.min_profit_minor and account.steps < rule.max_steps:
        deposit = share(account.rules.starting_balance_minor, rule.step_ppm)
        account.steps += 1
        account.deposits += deposit
        account.balance += deposit
        account.peak += deposit
    account.earned_at_period = account.earned
