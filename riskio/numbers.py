"""Figures as text: the digits that matter, and what is not bounded said to be open."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Final

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_FEWEST_DECIMALS: Final = 2
_MOST_DECIMALS: Final = 6
_RAREST: Final = 1e-6
"""Of what is rarer, a percentage of so many decimals has less than three digits."""


def bar(share: float, width: int) -> str:
    """A bar of eighths of a cell; something that happens at all is seen."""
    eighths = max(round(share * width * 8), 1 if share > 0 else 0)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).ljust(width)[:width]


def notation(figure: float, low: float, high: float) -> Callable[[float], str]:
    """How a probability and all that stands in its row are written: as percents with as many decimals as give the
    probability three digits, else the ends of its interval; as plain numbers where that would take too many.
    """
    scale = _from_certain(figure) or max(_from_certain(low), _from_certain(high))
    if 0 < scale < _RAREST and high < 0.5:
        return rare
    digits = 2 - math.floor(math.log10(100 * scale)) if scale else _FEWEST_DECIMALS
    return partial(percent, decimals=min(max(digits, _FEWEST_DECIMALS), _MOST_DECIMALS))


def percent(share: float, decimals: int) -> str:
    """A percentage. Only 0 and 1 are shown as 0% and 100%, whatever is near them as beyond the last decimal."""
    shown = f"{100 * share:.{decimals}f}%"
    if share > 0 and shown == f"{0:.{decimals}f}%":
        return f"<{10**-decimals:.{decimals}f}%"
    if share < 1 and shown == f"{100:.{decimals}f}%":
        return f">{100 - 10**-decimals:.{decimals}f}%"
    return shown


def _from_certain(share: float) -> float:
    """How far it is from 0 or 1, the nearer of both."""
    return max(0.0, min(share, 1 - share))


def rare(share: float) -> str:
    """A probability as a plain number of three significant digits, such as 1.93e-9."""
    digits, _, power = f"{share:.2e}".partition("e")
    return f"{digits}e{int(power)}" if 0 < share < 0.001 else f"{share:.3g}"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 trade", "1,200 trades"; `many` where it is more than an s: "2 entries"."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def money(value: float) -> str:
    """A figure with the digits that matter; what is not bounded is called open."""
    if math.isinf(value):
        return "open"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}".removesuffix(".00")


def seconds(spent: float) -> str:
    """A duration in the unit that suits it."""
    return f"{spent * 1_000:.0f} ms" if spent < 1 else f"{spent:.1f} s"


def rate(per_second: float) -> str:
    """A rate with the prefix that suits it."""
    scale, prefix = next(((s, p) for s, p in ((1e9, " G"), (1e6, " M"), (1e3, " k")) if per_second >= s), (1.0, ""))
    return f"{per_second / scale:.3g}{prefix}"


def points(difference: float, half_width: float) -> tuple[str, str]:
    """A difference of probabilities in percentage points, and its error, both to the first digit of the error."""
    digits = 2 if not 0 < half_width < math.inf else max(0, min(9, -math.floor(math.log10(100 * half_width))))
    return f"{100 * difference:+.{digits}f}", f"±{100 * half_width:.{digits}f}"
