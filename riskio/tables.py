"""Tables as the report has them, and the cells that recur in them."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from montecarlo.v1.result_pb2 import Estimate
from riskio.numbers import money, percent, rare


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


def percent_interval(figure: Estimate, *, narrow: bool = False) -> str:
    """The interval of a probability; `narrow` says % once and has no spaces, unless an end is a plain number."""
    low, high = percent(figure.ci_low), percent(figure.ci_high)
    if "e" in low + high:  # both in the same notation
        low, high = (rare(end) if end < 0.001 else percent(end) for end in (figure.ci_low, figure.ci_high))
    if narrow and low.endswith("%") and high.endswith("%"):
        return f"{low.removesuffix('%')}–{high}"
    return f"{low} – {high}"


def money_interval(figure: Estimate) -> str:
    """The interval of an amount."""
    return f"{money(figure.ci_low)} – {money(figure.ci_high)}"


def half_width(figure: Estimate) -> float:
    """Half the width of the 95% interval."""
    return (figure.ci_high - figure.ci_low) / 2
