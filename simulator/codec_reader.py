"""Reads amounts of one account's rules: its currency and starting balance are known."""

from __future__ import annotations

from typing import Final, Protocol

from montecarlo.v1 import rules_pb2
from simulator.checks import Checks
from simulator.spec import MinimumDays

MAX_DAYS: Final = 2**31 - 1


class AmountOrPercent(Protocol):
    """The part that several rules share."""

    amount: str
    percent: str


class Reader:
    """Notes what is bad, and gives None in its place."""

    def __init__(self, checks: Checks, digits: int, start: int) -> None:
        """`start` is the starting balance in minor units."""
        self.checks, self.digits, self.start = checks, digits, start

    def share(
        self,
        field: str,
        rule: AmountOrPercent,
        rounding: str,
        *,
        most: int | None = 100,
        third: tuple[str, str] | None = None,
    ) -> int | None:
        """The amount, or the percentage of the starting balance rounded to a minor unit; None if bad.

        Balances are whole minor units, so a threshold rounded towards the side that changes no test is exact. `third`:
        name and text of another choice, which must not be made as well.
        """
        other = [third[0]] if third else []
        if bool(rule.amount) + bool(rule.percent) + bool(third and third[1]) != 1:
            *names, last = ("amount", "percent", *other)
            self.checks.bad(field, f"needs exactly one of {', '.join(names)} and {last}")
            return None
        if rule.amount:
            return self.checks.positive_money(f"{field}.amount", rule.amount, self.digits)
        return self.percent_of_start(f"{field}.percent", rule.percent, rounding, most=most)

    def percent_of_start(self, field: str, text: str, rounding: str, *, most: int | None) -> int | None:
        """A percentage of the starting balance, in minor units; None if it is bad."""
        percent = self.checks.percent(field, text, most=most)
        return None if percent is None else int((self.start * percent / 100).to_integral_value(rounding))

    def minimum_days(self, field: str, rule: rules_pb2.MinimumDays) -> MinimumDays:
        """How many days must qualify, and by which profit."""
        profit = (
            self.checks.positive_money(f"{field}.min_profit", rule.min_profit, self.digits) if rule.min_profit else None
        )
        return MinimumDays(days=self.checks.whole(f"{field}.days", rule.days, 1, MAX_DAYS), min_profit_minor=profit)

    def consistency(self, field: str, rule: rules_pb2.Consistency) -> int | None:
        """The most of the profit that the best day may have made, in millionths; None if it is bad."""
        return self.checks.millionths(f"{field}.max_best_day_share", rule.max_best_day_share, of_one=1)
