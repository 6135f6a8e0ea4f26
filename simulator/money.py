"""Decimal strings to whole minor units and back. Nothing is ever rounded silently."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

LARGEST_MINOR: Final = 10**15
"""The largest amount taken from outside, in minor units."""

_DECIMAL: Final = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


class NotAnAmount(ValueError):
    """The text is not a decimal that the currency can hold; the message says why and what to write."""


def parse_decimal(text: str) -> Decimal:
    """A plain decimal: a sign, digits, a point; no exponent, no thousands separator, no NaN.

    Raises: NotAnAmount.
    """
    if not text:
        raise NotAnAmount("is missing: give a decimal number, and write it like 1250.50")
    if not _DECIMAL.fullmatch(text):
        raise NotAnAmount(f"{text[:40]!r} is not a decimal number: write it like 1250.50")
    return Decimal(text)


def to_minor(text: str, digits: int) -> int:
    """A decimal string in minor units of a currency with so many digits.

    Raises: NotAnAmount if it is no decimal, finer than the minor unit, or too large.
    """
    minor = parse_decimal(text).scaleb(digits)
    if abs(minor) > LARGEST_MINOR:
        raise NotAnAmount(f"{text[:40]} is too large: amounts go up to 10^{15 - digits}")
    if minor != minor.to_integral_value():
        raise NotAnAmount(f"{text[:40]} has more decimals than its currency, which has {digits}: round it first")
    return int(minor)


def from_minor(minor: int, digits: int) -> str:
    """Minor units as a decimal string, such as -12.50."""
    return str(Decimal(minor).scaleb(-digits)) if digits else str(minor)
