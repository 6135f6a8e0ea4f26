"""Figures as text: the digits that matter, and what is not bounded said to be open."""

from __future__ import annotations

import math
from typing import Final

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


def bar(share: float, width: int) -> str:
    """A bar of eighths of a cell; something that happens at all is seen."""
    eighths = max(round(share * width * 8), 1 if share > 0 else 0)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).ljust(width)[:width]


def percent(share: float) -> str:
    """A probability, with more digits near 0 and 1; as a plain number where it is rare. Only 1 is shown as 100.00%."""
    scaled, rest = share * 100, (1 - share) * 100
    nearer = min(scaled, rest)
    if nearer <= 0 or nearer >= 0.1:
        return f"{scaled:.2f}%"
    if nearer >= 0.001:
        return f"{scaled:.4f}%"
    return rare(share) if scaled < rest else ">99.999%"


def rare(share: float) -> str:
    """A probability as a plain number of three significant digits, such as 1.93e-9."""
    digits, _, power = f"{share:.2e}".partition("e")
    return f"{digits}e{int(power)}" if 0 < share < 0.001 else f"{share:.3g}"


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
