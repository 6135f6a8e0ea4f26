"""Collects what is wrong with an input, field by field, so that one answer names all of it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Final, TypeVar

from simulator.errors import FieldViolation, InvalidInput
from simulator.money import NotAnAmount, parse_decimal, to_minor

MOST_VIOLATIONS: Final = 100
Kind = TypeVar("Kind", bound=Enum)


class Checks:
    """Readers that note a violation and return None or a harmless value where a field is bad."""

    def __init__(self) -> None:
        """Nothing is wrong yet."""
        self._violations: list[FieldViolation] = []
        self._more = 0

    def bad(self, field: str, description: str) -> None:
        """Notes a violation."""
        if len(self._violations) < MOST_VIOLATIONS:
            self._violations.append(FieldViolation(field=field, description=description))
        else:
            self._more += 1

    def raise_if_any(self) -> None:
        """Raises: InvalidInput with all that was noted."""
        if self._violations:
            raise InvalidInput(self._violations, more=self._more)

    def money(self, field: str, text: str, digits: int) -> int | None:
        """An amount in minor units; None if it is bad."""
        try:
            return to_minor(text, digits)
        except NotAnAmount as reason:
            self.bad(field, str(reason))
            return None

    def positive_money(self, field: str, text: str, digits: int) -> int | None:
        """An amount above zero; None if it is bad."""
        minor = self.money(field, text, digits)
        if minor is not None and minor <= 0:
            self.bad(field, f"{text} is not above 0: give a positive amount")
            return None
        return minor

    def percent(self, field: str, text: str, *, most: int | None) -> Decimal | None:
        """A percentage above zero and, unless `most` is None, not above it; None if it is bad."""
        try:
            percent = parse_decimal(text)
        except NotAnAmount as reason:
            self.bad(field, str(reason))
            return None
        if percent <= 0 or (most is not None and percent > most):
            limit = "" if most is None else f" and up to {most}"
            self.bad(field, f"{text} is out of range: give a percentage above 0{limit}")
            return None
        return percent

    def millionths(self, field: str, text: str, *, of_one: int) -> int | None:
        """A share above zero and up to the whole, in millionths: `of_one` is 1 for a share and 100 for a percentage.

        At most 4 decimals, so that it is exact. None if it is bad.
        """
        try:
            share = parse_decimal(text)
        except NotAnAmount as reason:
            self.bad(field, str(reason))
            return None
        millionths = share * 1_000_000 / of_one
        if not 0 < share <= of_one:
            self.bad(field, f"{text} is out of range: give a number above 0 and up to {of_one}")
            return None
        if share != round(share, 4):
            self.bad(field, f"{text} has more than 4 decimals: round it first")
            return None
        return int(millionths)

    def whole(self, field: str, value: int, low: int, high: int) -> int:
        """The number if it lies in the range, else `low`."""
        if low <= value <= high:
            return value
        self.bad(field, f"{value} is out of range: give a whole number from {low} to {high}")
        return low

    def kind(self, field: str, value: int, names: Mapping[int, Kind]) -> Kind | None:
        """The meaning of an enum's number; None if it has none."""
        if value not in names:
            known = ", ".join(dict.fromkeys(each.name for each in names.values()))
            self.bad(field, f"{value} is not one of the values it can have: {known}")
        return names.get(value)

    def number(self, field: str, text: str) -> None:
        """A decimal whose value is not used."""
        try:
            parse_decimal(text)
        except NotAnAmount as reason:
            self.bad(field, str(reason))
