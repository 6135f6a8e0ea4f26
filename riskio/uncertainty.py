"""The parts of a report about what is not certain: the history's shortness, what-ifs, rare breaches, dependence.

Sampling error, which more paths narrow, and what the history's shortness leaves open, which only more trades narrow,
stand side by side and are never added up.
"""

from __future__ import annotations

from typing import Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from montecarlo.v1.result_pb2 import Estimate, EstimationInterval, SimulationResult
from riskio.numbers import bar, money, percent, points, rare
from riskio.tables import half_width, percent_interval, table

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
_CELL: Final = 14
_GAP: Final = 3
_LEAST_BAR: Final = 5


def allowed(result: SimulationResult) -> list[tuple[str, str, str]]:
    """The outcomes that the rules allow: those that the result has."""
    present = {descriptor.name for descriptor, _ in result.outcomes.ListFields()}
    return [each for each in OUTCOMES if each[0] in present]


def outcomes(result: SimulationResult, console: Console, width: int) -> RenderableType:
    """The probability of each way to end that the rules allow, as bars, with what is open about it."""
    bare = _outcomes(result, 0)
    anywhere = console.options.update_width(10 * width)
    room = width - console.measure(bare, options=anywhere).maximum - _GAP
    grid = _outcomes(result, room) if room >= _LEAST_BAR else bare
    if not result.HasField("estimation_risk"):
        return grid
    return Group(grid, Text(_two_kinds(result), style="dim"))


def _outcomes(result: SimulationResult, bar_width: int) -> Table:
    risk = result.HasField("estimation_risk")
    known = {descriptor.name for descriptor, _ in result.estimation_risk.ListFields()}
    bars = [("", "left")] if bar_width else []
    kinds = [("sampling, 95%", "right"), ("history, 95%", "right")] if risk else [("95% interval", "right")]
    grid = table(("", "left"), *bars, ("probability", "right"), *kinds)
    for field, label, style in allowed(result):
        figure: Estimate = getattr(result.outcomes, field)
        cells = [Text(bar(figure.value, bar_width), style=style)] if bar_width else []
        cells += [Text(percent(figure.value)), Text(percent_interval(figure))]
        if risk:
            interval = getattr(result.estimation_risk, field)
            cells.append(Text(_history_interval(interval) if field in known else "unknown"))
        grid.add_row(label, *cells)
    return grid


def scenarios(result: SimulationResult) -> RenderableType:
    """Each what-if: its name, its figures, and below them what they differ by from the simulation proper."""
    fields = [field for field, _, _ in allowed(result)]
    lines: list[RenderableType] = [_line(*(Text(_SHORT[field], style="dim") for field in (*fields, "mean")))]
    for scenario in result.scenarios:
        figures = [percent(getattr(scenario.outcomes, field).value) for field in fields]
        moved = [_points(getattr(scenario.differences, field)) for field in fields]
        more = scenario.mean_final_pnl_difference
        change = Text(f"{signed(more.value)}\n±{money(half_width(more))}", style=_style(more))
        lines.append(Text(scenario.name, style="bold"))
        lines.append(_line(*map(Text, figures), Text(money(scenario.mean_final_pnl.value))))
        lines.append(_line(*moved, change))
    return Group(*lines)


def _line(*cells: Text) -> Table:
    """One line of a table of which all columns are as wide."""
    grid = Table.grid(padding=(0, 1))
    for _ in cells:
        grid.add_column(justify="right", min_width=_CELL, no_wrap=True)
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
        figure = each.probability
        grid.add_row(
            labels.get(each.outcome, each.outcome),
            Text(rare(figure.value), style="bold"),
            f"{rare(figure.ci_low)} – {rare(figure.ci_high)}",
            f"{each.relative_error:.1%}",
        )
    return grid


def dependence(result: SimulationResult) -> str:
    """What the history can tell, on a line or two."""
    seen = result.diagnostics
    return (
        f"worth {seen.effective_sample_size:,.0f} independent trades; "
        f"autocorrelation {seen.lag_one_autocorrelation:+.2f}; "
        f"the later half {seen.drift_z:+.1f} standard errors from the earlier"
    )


def signed(value: float) -> str:
    """An amount with its sign."""
    return f"{'+' if value >= 0 else '-'}{money(abs(value))}"


def _history_interval(interval: EstimationInterval) -> str:
    return f"{percent(interval.low)} – {percent(interval.high)}"


def _two_kinds(result: SimulationResult) -> str:
    risk = result.estimation_risk
    less = f", {risk.left_out:,} of them left out" if risk.left_out else ""
    return (
        "95% intervals of two kinds. sampling: what more paths narrow. history: what only more trades narrow, by "
        f"{risk.histories:,} resampled histories of {risk.paths_per_history:,} paths each{less}. They do not add up."
    )
