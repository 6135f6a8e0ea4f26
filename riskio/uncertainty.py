"""The parts of a report about what is not certain: the history's shortness, what-ifs, rare breaches, dependence.

Sampling error, which more paths narrow, and what the history's shortness leaves open, which only more trades narrow,
stand side by side and are never added up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from montecarlo.v1.result_pb2 import Estimate, EstimationInterval, ScenarioResult, SimulationResult
from riskio.numbers import bar, counted, money, notation, points
from riskio.tables import BETWEEN, half_width, interval, money_interval, probability, table

OUTCOMES: Final = (
    ("passed", "Passed", "green"),
    ("breached_max_drawdown", "Breached max drawdown", "red"),
    ("breached_daily_loss", "Breached daily loss", "magenta"),
    ("expired", "Survived or expired", "blue"),
)
"""The fields of the outcomes, with label and style."""

_SHORT: Final = {
    "passed": "passed",
    "breached_max_drawdown": "max drawdown",
    "breached_daily_loss": "daily loss",
    "expired": "survived",
    "mean": "mean P&L",
}
_CELL: Final = 13
_GAPS: Final = (1, 3)
"""Spaces between the columns of what-ifs, at least and at most."""
_GAP: Final = 3
_LEAST_BAR: Final = 5
Z: Final = 1.959964
"""Standard errors to either side of a figure that make its 95% interval."""


def allowed(result: SimulationResult) -> list[tuple[str, str, str]]:
    """The outcomes that the rules allow: those that the result has."""
    present = {descriptor.name for descriptor, _ in result.outcomes.ListFields()}
    return [each for each in OUTCOMES if each[0] in present]


def outcomes(result: SimulationResult, console: Console, width: int) -> RenderableType:
    """The probability of each way to end that the rules allow, as bars, with what is open about it."""
    anywhere = console.options.update_width(10 * width)
    for between in BETWEEN:
        grid = _outcomes(result, 0, between)
        room = width - console.measure(grid, options=anywhere).maximum
        if room >= 0:
            break
    if room - _GAP >= _LEAST_BAR:
        grid = _outcomes(result, room - _GAP, between)
    if not result.HasField("estimation_risk"):
        return grid
    return Group(grid, Text(_two_kinds(result), style="dim"))


def _outcomes(result: SimulationResult, bar_width: int, between: str) -> Table:
    risk = result.HasField("estimation_risk")
    known = {descriptor.name for descriptor, _ in result.estimation_risk.ListFields()}
    bars = [("", "left")] if bar_width else []
    kinds = [("sampling, 95%", "right"), ("history, 95%", "right")] if risk else [("95% interval", "right")]
    grid = table(("", "left"), *bars, ("probability", "right"), *kinds)
    for field, label, style in allowed(result):
        figure: Estimate = getattr(result.outcomes, field)
        cells = [Text(bar(figure.value, bar_width), style=style)] if bar_width else []
        cells += map(Text, probability(figure, between))
        if risk:
            open_still = getattr(result.estimation_risk, field)
            written = notation(figure.value, figure.ci_low, figure.ci_high)
            cells.append(_history_interval(open_still, written, between) if field in known else Text("unknown"))
        grid.add_row(label, *cells)
    return grid


def scenarios(result: SimulationResult, width: int) -> RenderableType:
    """Each what-if: its name, its figures with their intervals, and below them what they differ by from the simulation
    proper.
    """
    fields = [field for field, _, _ in allowed(result)]
    heads = [Text(_SHORT[field], style="dim") for field in (*fields, "mean")]
    for between in BETWEEN:
        rows = [(each.name, *_rows(each, fields, between)) for each in result.scenarios]
        widths = _widths(heads, rows)
        room = (width - sum(widths)) // (len(widths) - 1)
        if room >= _GAPS[0]:
            break
    gap = min(max(room, _GAPS[0]), _GAPS[1])
    lines: list[RenderableType] = [_line(heads, widths, gap)]
    for name, figures, moved in rows:
        lines += [Text(name, style="bold"), _line(figures, widths, gap), _line(moved, widths, gap)]
    return Group(*lines)


def _rows(scenario: ScenarioResult, fields: Sequence[str], between: str) -> tuple[list[Text], list[Text]]:
    """The figures, each above its interval, and the differences, each above its error."""
    figures, moved = [], []
    for field in fields:
        figure = getattr(scenario.outcomes, field)
        figures.append(_above(*probability(figure, between)))
        moved.append(_points(getattr(scenario.differences, field)))
    mean, more = scenario.mean_final_pnl, scenario.mean_final_pnl_difference
    figures.append(_above(money(mean.value), money_interval(mean, between)))
    moved.append(Text(f"{signed(more.value)}\n±{money(half_width(more))}", style=_style(more)))
    return figures, moved


def _above(figure: str, interval: str) -> Text:
    return Text.assemble(figure, "\n", (interval, "dim"))


def _widths(heads: Sequence[Text], rows: Iterable[tuple[str, list[Text], list[Text]]]) -> list[int]:
    """The width that each column needs."""
    lines = [heads, *(cells for _, *both in rows for cells in both)]
    return [max(_CELL, *(cell_len(line) for cell in column for line in str(cell).split("\n")))
            for column in zip(*lines, strict=True)]  # fmt: skip


def _line(cells: Sequence[Text], widths: Sequence[int], gap: int) -> Table:
    """One line of a table of which each column has its width."""
    grid = Table.grid(padding=(0, gap, 0, 0), pad_edge=False)
    for width in widths:
        grid.add_column(justify="right", min_width=width, no_wrap=True)
    grid.add_row(*cells)
    return grid


def _points(moved: Estimate) -> Text:
    return Text("\n".join(points(moved.value, half_width(moved))), style=_style(moved))


def _style(moved: Estimate) -> str:
    """A difference whose interval holds zero is dim."""
    return "dim" if moved.ci_low <= 0 <= moved.ci_high else ""


def rare_events(result: SimulationResult) -> RenderableType:
    """Breaches too rare for plain sampling."""
    labels = {field: label for field, label, _ in OUTCOMES}
    grid = table(("", "left"), ("probability", "right"), ("95% interval", "right"), ("relative error", "right"))
    for each in result.rare_events:
        figure, ends = probability(each.probability)
        label = labels.get(each.outcome, each.outcome)
        grid.add_row(label, Text(figure, style="bold"), ends, f"{each.relative_error:.1%}")
    return grid


def dependence(result: SimulationResult) -> str:
    """What the history can tell, on a line or two."""
    seen = result.diagnostics
    return (
        f"worth {counted(round(seen.effective_sample_size), 'independent trade')}; "
        f"autocorrelation {seen.lag_one_autocorrelation:+.2f}; "
        f"the later half {seen.drift_z:+.1f} standard errors from the earlier"
    )


def signed(value: float) -> str:
    """An amount with its sign."""
    return f"{'+' if value >= 0 else '-'}{money(abs(value))}"


def _history_interval(open_still: EstimationInterval, written: Callable[[float], str], between: str) -> Text:
    """The interval, and below it how far off either end may be."""
    shown = Text(interval(written(open_still.low), written(open_still.high), between))
    if _has_errors(open_still):
        low, high = (written(Z * error) for error in (open_still.low_std_error, open_still.high_std_error))
        shown.append(f"\n±{low}{'   ' if between == BETWEEN[0] else ' '}±{high}", style="dim")
    return shown


def _has_errors(interval: EstimationInterval) -> bool:
    errors = (interval.low_std_error, interval.high_std_error)
    return any(errors) and all(map(math.isfinite, errors))


def _two_kinds(result: SimulationResult) -> str:
    risk = result.estimation_risk
    less = f", {risk.left_out:,} of them left out" if risk.left_out else ""
    ends = any(_has_errors(getattr(risk, field)) for field, _, _ in OUTCOMES)
    return (
        "95% intervals of two kinds. sampling: what more paths narrow. history: what only more trades narrow, by "
        f"{risk.histories:,} resampled histories of {risk.paths_per_history:,} paths each{less}"
        f"{'; below it, ± what more histories would narrow of either end' if ends else ''}. They do not add up."
    )
