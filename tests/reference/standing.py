"""Where one account stands on a path, and the amounts that its rules put in force there.

Written from docs/rule-book.md alone. Money is in minor units: plain ints, and Fractions where a percentage is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from simulator.spec import Account, DrawdownKind, FloorAfterPayout, Phase, Rules

MILLION = 10**6


@dataclass(slots=True, kw_only=True)
class Standing:
    """The account of one phase between two trades. `start`: its balance when it was first looked at; `phase` from 0.

    peak: P; anchor: from where the day's loss is counted; opening: balance at the beginning of the day.
    days: trading days of the phase, `days_here` those simulated, `calendar_days` the calendar days used before them.
    qualifying, best_day: of the phase; the names that end in `_since`: since the last payout.
    steps: of scaling; deposits: what they brought; lowered: what payouts took off a static floor.
    """

    rules: Rules
    phase: int
    start: int
    balance: int
    peak: int
    anchor: int
    opening: int
    days: int
    calendar_days: int
    qualifying: int
    best_day: int
    payouts: int
    days_since: int
    qualifying_since: int
    best_day_since: int
    earned_at_payout: int
    days_here: int = 0
    passed: bool = False
    steps: int = 0
    deposits: int = 0
    withdrawals: int = 0
    earned_at_period: int = 0
    lowered: int = 0
    floor_at_start: bool = False
    highest_earned: int = 0

    @property
    def earned(self) -> int:
        """What trading made: the balance and all withdrawals, less deposits and the balance at the start."""
        return self.balance + self.withdrawals - self.deposits - self.start

    @property
    def today(self) -> int:
        """The profit of the day so far."""
        return self.balance - self.opening

    @property
    def starting_balance(self) -> int:
        """B0, with the deposits of scaling."""
        return self.rules.starting_balance_minor + self.deposits

    @property
    def step(self) -> Phase:
        """What the phase under way asks."""
        return self.rules.steps[self.phase]


def present(rules: Rules, account: Account) -> Standing:
    """The account as it stands, at the end of a trading day."""
    balance = account.balance_minor
    equity = balance if account.equity_minor is None else account.equity_minor
    since = account.profit_since_payout_minor
    return Standing(
        rules=rules,
        phase=account.phase - 1,
        start=balance,
        balance=balance,
        peak=first_peak(rules, account),
        anchor=first_anchor(rules, balance, equity),
        opening=balance,
        days=account.days_traded,
        calendar_days=account.calendar_days_used,
        qualifying=account.qualifying_days,
        best_day=account.best_day_minor,
        payouts=account.payouts,
        days_since=account.days_since_payout,
        qualifying_since=account.qualifying_days,
        best_day_since=account.best_day_minor,
        earned_at_payout=-(balance - rules.starting_balance_minor if since is None else since),
        lowered=account.withdrawn_minor if static_floor_follows(rules) else 0,
        floor_at_start=account.payouts > 0 and floor_goes_to_start(rules),
    )


def fresh(rules: Rules, phase: int) -> Standing:
    """The fresh account on which a later phase is traded."""
    start = rules.starting_balance_minor
    account = Account(balance_minor=start, high_water_mark_minor=start, phase=phase + 1)
    return present(rules, account)


def first_peak(rules: Rules, account: Account) -> int:
    """P at first; a floor that trails equity trails that which the account had, too."""
    known = [rules.starting_balance_minor, account.high_water_mark_minor, account.balance_minor]
    if rules.max_drawdown is not None and rules.max_drawdown.kind is DrawdownKind.TRAILING_INTRADAY:
        known.append(account.equity_minor or 0)
    return max(known)


def first_anchor(rules: Rules, balance: int, equity: int) -> int:
    """The anchor of the first simulated day: the one on which equity may differ from the balance."""
    if rules.daily_loss is None or rules.daily_loss.anchor.value == "prior_balance":
        return balance
    return max(balance, equity)


def floor_goes_to_start(rules: Rules) -> bool:
    """Whether a payout, also one made before now, leaves the floor at the starting balance for ever."""
    return rules.payout is not None and rules.payout.floor_after is FloorAfterPayout.START


def static_floor_follows(rules: Rules) -> bool:
    """Whether each payout, also one made before now, lowers a static floor by its amount."""
    static = rules.max_drawdown is not None and rules.max_drawdown.kind is DrawdownKind.STATIC
    return static and rules.payout is not None and rules.payout.floor_after is FloorAfterPayout.FOLLOW


def sized(account: Standing, amount: int) -> int:
    """An amount after the steps of scaling so far, each step rounded half to even."""
    scaling = account.rules.scaling
    return amount if scaling is None else amount + account.steps * share(amount, scaling.step_ppm)


def share(amount: int, ppm: int) -> int:
    """So many millionths of an amount, rounded half to even."""
    return round(Fraction(amount * ppm, MILLION))
