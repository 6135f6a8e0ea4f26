"""A result as a risk officer reads it at once: text for a terminal, with or without colour, from 80 columns up.

It knows only the result message: whoever has one can print it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from montecarlo.v1 import settings_pb2
from montecarlo.v1.result_pb2 import Distribution, EquityFan, Estimate, SimulationResult

MAX_WIDTH: Final = 100
FAN_ROWS: Final = 15
QUANTILES: Final = ((0.05, 0.25, 0.5, 0.75, 0.95, 0.99), (0.05, 0.5, 0.95, 0.99), (0.05, 0.5, 0.95))
"""The quantiles to show, fewer where the console is narrow."""

_MODELS: Final = {
    settings_pb2.RESAMPLING_MODEL_IID: "single trades, independent",
    settings_pb2.RESAMPLING_MODEL_DAY: "whole days",
    settings_pb2.RESAMPLING_MODEL_STATIONARY: "stationary bootstrap",
}
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_OUTER, _INNER, _MEDIAN = ("░", "cyan"), ("▓", "cyan"), ("━", "bold white")


def render(
    result: SimulationResult, console: Console, *, title: str = "Simulation", timing: Mapping[str, float] | None = None
) -> None:
    """Prints the whole report; `timing` names the stages of the job and their seconds."""
    width = min(console.width, MAX_WIDTH)
    parts: list[tuple[str, RenderableType]] = [
        ("How the account ends", outcomes(result, width)),
        (f"What may be lost, {result.currency}", tails(result)),
        ("How the paths spread, with ± the half-width of each 95% interval", distributions(result, console, width - 1)),
        (f"Balance over time, {result.currency}", Text("\n").join(fan_chart(result.equity_fan, width - 2))),
        ("To be known before relying on this", warnings(result)),
    ]
    console.print(Panel(header(result), title=Text(title, style="bold"), title_align="left"), width=width)
    for heading, body in parts:
        console.print(Text(f" {heading}", style="bold"))
        console.print(Padding(body, (0, 0, 1, 1)), width=width, soft_wrap=False)
    console.print(Padding(time_line(result, timing), (0, 0, 0, 1)), width=width)


def header(result: SimulationResult) -> RenderableType:
    """What was simulated."""
    history, block = result.history, f", mean block {result.block_length:.3g} trades"
    model = _MODELS.get(result.model, "unknown") + (block if result.block_length > 1 else "")
    grid = Table.grid(padding=(0, 2))
    grid.add_row("Paths", f"{result.paths:,} over {result.horizon_days} trading days, {result.path_steps:,} trades")
    grid.add_row("Model", model)
    grid.add_row(
        "History",
        f"{history.trades:,} trades on {history.days:,} days, {history.first_day} to {history.last_day}, "
        f"mean {money(history.mean_pnl)} {result.currency}, {history.win_rate:.0%} won",
    )
    grid.add_row(
        "Input", f"{result.input_digest[:16] or 'unknown'}, seed {result.seed}, engine {result.engine_version}"
    )
    return grid


def outcomes(result: SimulationResult, width: int) -> RenderableType:
    """The probability of each way to end, as bars."""
    ends, bar_width = result.outcomes, width - 60
    rows: tuple[tuple[str, Estimate, str], ...] = (
        ("Passed", ends.passed, "green"),
        ("Breached max drawdown", ends.breached_max_drawdown, "red"),
        ("Breached daily loss", ends.breached_daily_loss, "magenta"),
        ("Survived or expired", ends.expired, "blue"),
    )
    table = _table(("", "left"), ("", "left"), ("probability", "right"), ("95% interval", "right"))
    for label, figure, style in rows:
        interval = f"{percent(figure.ci_low)} – {percent(figure.ci_high)}"
        table.add_row(label, Text(bar(figure.value, bar_width), style=style), percent(figure.value), interval)
    return table


def tails(result: SimulationResult) -> RenderableType:
    """Value at risk and expected shortfall of the final profit and loss."""
    table = _table(("", "left"), ("loss", "right"), ("std error", "right"), ("95% interval", "right"))
    for tail in result.final_pnl.tails:
        level = f"{tail.confidence:.0%}"
        _add_loss(table, f"Value at risk {level}", tail.value_at_risk)
        _add_loss(table, f"Expected shortfall {level}", tail.expected_shortfall)
    return table


def distributions(result: SimulationResult, console: Console, width: int) -> RenderableType:
    """Mean and quantiles of every figure, each with the half-width of its interval below it; as many as fit."""
    wide = [_distributions(result, levels) for levels in QUANTILES]
    anywhere = console.options.update_width(10 * MAX_WIDTH)
    return next((table for table in wide if console.measure(table, options=anywhere).maximum <= width), wide[-1])


def _distributions(result: SimulationResult, levels: Sequence[float]) -> Table:
    figures: tuple[tuple[str, Distribution], ...] = (
        ("Final P&L", result.final_pnl),
        ("Largest drawdown", result.max_drawdown),
        ("Days to pass", result.days_to_pass),
        ("Days to breach", result.days_to_breach),
        ("Trades to the end", result.trades_to_end),
    )
    table = _table(("", "left"), ("mean", "right"), *((f"{level:.0%}", "right") for level in levels))
    for label, figure in figures:
        found = {round(each.probability, 6): each.estimate for each in figure.quantiles}
        shown = [figure.mean, *(found[level] for level in levels if level in found)] if figure.count else []
        table.add_row(label, *(_with_error(each) for each in shown) if shown else (Text("none", style="dim"),))
    return table


def warnings(result: SimulationResult) -> RenderableType:
    """What the engine warns of, or that it warns of nothing."""
    if not result.warnings:
        return Text("No warnings.", style="green")
    grid = Table.grid(padding=(0, 1))
    for warning in result.warnings:
        grid.add_row(Text("!", style="bold yellow"), Text.assemble((warning.code, "yellow"), f"  {warning.message}"))
    return grid


def time_line(result: SimulationResult, timing: Mapping[str, float] | None) -> Text:
    """One line saying where the time went."""
    stages = " · ".join(f"{name} {seconds(spent)}" for name, spent in (timing or {}).items())
    engine = f"engine {seconds(result.elapsed_s)}"
    if result.elapsed_s > 0:
        engine += f", {rate(result.path_steps / result.elapsed_s)} trades/s"
    return Text(f"Time: {stages} ({engine})" if stages else f"Time: {engine}", style="dim")


def fan_chart(fan: EquityFan, width: int, rows: int = FAN_ROWS) -> Iterable[Text]:
    """The fan as lines of text: the 5–95% and 25–75% bands and the median, days to the right."""
    if len(fan.days) < 2:
        return [Text("No day was simulated.", style="dim")]
    lines = [[each.estimate.value for each in day.quantiles] for day in fan.days]
    ticks = _ticks(min(map(min, lines)), max(map(max, lines)))
    margin = max(len(f"{tick:,.0f}") for tick in ticks) + 2
    low, step = ticks[0], (ticks[-1] - ticks[0]) / (rows - 1)
    columns = [
        [round((value - low) / step) for value in _at(fan, lines, column / (width - margin - 1))]
        for column in range(width - margin)
    ]
    labels = {round((tick - low) / step): f"{tick:,.0f}" for tick in ticks}
    body = [_chart_line(labels.get(row, ""), margin, row, columns) for row in reversed(range(rows))]
    legend = Text.assemble(
        " " * margin, _OUTER, " 5–95%  ", _INNER, " 25–75%  ", _MEDIAN, f" median of {fan.paths:,} paths"
    )
    return [*body, *_day_axis(fan.days[-1].day, width - margin, margin), legend]


def bar(share: float, width: int) -> str:
    """A bar of eighths of a cell; something that happens at all is seen."""
    eighths = max(round(share * width * 8), 1 if share > 0 else 0)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).ljust(width)[:width]


def percent(share: float) -> str:
    """A probability, with more digits where it is small."""
    scaled = share * 100
    if scaled == 0 or scaled >= 0.1:
        return f"{scaled:.2f}%"
    return f"{scaled:.4f}%" if scaled >= 0.001 else f"{scaled:.1e}%"


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


def _add_loss(table: Table, label: str, figure: Estimate) -> None:
    interval = f"{money(figure.ci_low)} – {money(figure.ci_high)}"
    table.add_row(label, Text(money(figure.value), style="bold"), money(figure.std_error), interval)


def _table(*columns: tuple[str, str]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False, header_style="dim")
    for heading, side in columns:
        table.add_column(heading, justify="right" if side == "right" else "left", no_wrap=True)
    return table


def _with_error(figure: Estimate) -> Text:
    half = (figure.ci_high - figure.ci_low) / 2
    return Text.assemble(money(figure.value), "\n", (f"±{money(half)}", "dim"))


def _ticks(low: float, high: float) -> Sequence[float]:
    """Round numbers that span low to high, about five of them."""
    span = high - low or abs(high) or 1.0
    size = 10 ** math.floor(math.log10(span / 4))
    step = size * next(factor for factor in (1, 2, 2.5, 5, 10) if span / (size * factor) <= 5)
    first, last = math.floor(low / step), max(math.ceil(high / step), math.floor(low / step) + 1)
    return [index * step for index in range(first, last + 1)]


def _at(fan: EquityFan, lines: Sequence[Sequence[float]], share: float) -> list[float]:
    """The quantiles at a share of the whole time, on straight lines between shown days."""
    day = share * fan.days[-1].day
    for (before, after), (left, right) in zip(pairwise(fan.days), pairwise(lines), strict=True):
        if day <= after.day:
            weight = (day - before.day) / (after.day - before.day)
            return [a + (b - a) * weight for a, b in zip(left, right, strict=True)]
    return list(lines[-1])


def _chart_line(label: str, margin: int, row: int, columns: Sequence[Sequence[int]]) -> Text:
    line = Text.assemble((f"{label:>{margin - 2}} {'┤' if label else '│'}", "dim"))
    for (mark, style), run in groupby(_mark(row, column) for column in columns):
        line.append(mark * sum(1 for _ in run), style=style)
    return line


def _mark(row: int, column: Sequence[int]) -> tuple[str, str]:
    p05, p25, median, p75, p95 = column
    if row == median:
        return _MEDIAN
    if p25 <= row <= p75:
        return _INNER
    return _OUTER if p05 <= row <= p95 else (" ", "")


def _day_axis(last_day: int, width: int, margin: int) -> tuple[Text, Text]:
    """The axis of days: a mark and a number every fifth or so of the way."""
    marks, numbers = ["─"] * width, [" "] * (width + 8)
    for tick in sorted({round(last_day * part / 5) for part in range(6)}):
        column = round(tick / last_day * (width - 1))
        marks[column] = "┬"
        text = f"day {tick}" if tick == last_day else str(tick)
        start = min(max(column - len(text) // 2, 0), width - len(text))
        numbers[start : start + len(text)] = text
    axis = " " * (margin - 1) + "└" + "".join(marks)
    return Text(axis, style="dim"), Text(" " * margin + "".join(numbers).rstrip(), style="dim")
