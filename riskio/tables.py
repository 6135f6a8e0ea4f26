"""Tables as the report has them, and the cells that recur in them."""

from __future__ import annotations

from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from montecarlo.v1.result_pb2 import Estimate
from riskio.numbers import money, notation

BETWEEN: Final = (" – ", "–", "–\n")
"""Between the ends of an interval, from wide to narrow."""


def table(*columns: tuple[str, str]) -> Table:
    """An empty table; a column is its heading and "left" or "right"."""
    made = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False, header_style="dim")
    for heading, side in columns:
        made.add_column(heading, justify="right" if side == "right" else "left", no_wrap=True)
    return made


def with_error(figure: Estimate) -> Text:
    """A figure, and below it the half-width of its interval."""
    return Text.assemble(money(figure.value), "\n", (f"±{money(half_width(figure))}", "dim"))


def has_open(shown: Table) -> bool:
    """Whether a figure of the table is not bounded."""
    return any("open" in str(cell) for column in shown.columns for cell in column.cells)


def probability(figure: Estimate, between: str = BETWEEN[0]) -> tuple[str, str]:
    """A probability and its interval, in the same notation."""
    written = notation(figure.value, figure.ci_low, figure.ci_high)
    return written(figure.value), interval(written(figure.ci_low), written(figure.ci_high), between)


def interval(low: str, high: str, between: str = BETWEEN[0]) -> str:
    """From low to high; with less than spaces between them, % is said once."""
    once = between != BETWEEN[0] and high.endswith("%")
    return f"{low.removesuffix('%') if once else low}{between}{high}"


def money_interval(figure: Estimate, between: str = BETWEEN[0]) -> str:
    """The interval of an amount; its spaces go only with the line's end, for a minus may follow."""
    return interval(money(figure.ci_low), money(figure.ci_high), BETWEEN[0] if between == BETWEEN[1] else between)


def half_width(figure: Estimate) -> float:
    """Half the width of the 95% interval."""
    return (figure.ci_high - figure.ci_low) / 2
