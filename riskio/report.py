"""A result as a risk officer reads it at once: text for a terminal, with or without colour, from 80 columns up.

It knows only the result message: whoever has one can print it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from montecarlo.v1 import result_pb2, settings_pb2
from montecarlo.v1.result_pb2 import Distribution, Estimate, SimulationResult
from riskio import uncertainty
from riskio.fan import fan_chart
from riskio.numbers import counted, money, rate, seconds
from riskio.tables import has_open, money_interval, probability, table, with_error

MIN_WIDTH: Final = 80
MAX_WIDTH: Final = 120
QUANTILES: Final = ((0.05, 0.25, 0.5, 0.75, 0.95, 0.99), (0.05, 0.5, 0.95, 0.99), (0.05, 0.5, 0.95))
"""The quantiles to show, fewer where the console is narrow."""

_MODELS: Final = {
    settings_pb2.RESAMPLING_MODEL_IID: "single trades, independent",
    settings_pb2.RESAMPLING_MODEL_DAY: "whole days",
    settings_pb2.RESAMPLING_MODEL_STATIONARY: "stationary bootstrap",
    settings_pb2.RESAMPLING_MODEL_CIRCULAR: "circular block bootstrap",
    settings_pb2.RESAMPLING_MODEL_NORMAL: "normal distribution, fitted",
    settings_pb2.RESAMPLING_MODEL_STUDENT_T: "Student-t distribution, fitted",
}
_WHAT_IF: Final = "What if, on the same random numbers, at 95%; below, the difference in points"
_OPEN: Final = "open: not bounded, for too few paths reach there; more paths close it"
_RATED_S: Final = 1.0
_RATED_STEPS: Final = 10_000_000
"""Of a shorter run the rate tells of what is done once, such as compiling, rather than of the engine."""
_STOPPED: Final = {
    result_pb2.STOP_REASON_PRECISION: ", as precise as asked",
    result_pb2.STOP_REASON_TIME: ", when the time was spent",
}


def page(width: int | None = None) -> Console:
    """Standard output as wide as asked for, else as its terminal; no narrower than a report, which a terminal folds."""
    return Console(width=max(width or Console().width, MIN_WIDTH))


def render(
    result: SimulationResult, console: Console, *, title: str = "Simulation", timing: Mapping[str, float] | None = None
) -> None:
    """Prints the whole report; `timing` names the stages of the job and their seconds."""
    width = min(console.width, MAX_WIDTH)
    console.print(Panel(header(result), title=Text(title, style="bold"), title_align="left"), width=width)
    for heading, body in _parts(result, console, width):
        console.print(Text(f" {heading}", style="bold"))
        console.print(Padding(body, (0, 0, 1, 1)), width=width, soft_wrap=False)
    console.print(Padding(time_line(result, timing), (0, 0, 0, 1)), width=width)


def _parts(result: SimulationResult, console: Console, width: int) -> Iterator[tuple[str, RenderableType]]:
    """What this result has, each part under its heading."""
    yield "How the account ends", uncertainty.outcomes(result, console, width - 1)
    if result.phases:
        yield "Phase by phase, of all paths", phases(result)
    if result.rare_events:
        yield "Rare breaches, by importance sampling", uncertainty.rare_events(result)
    if result.scenarios:
        yield _WHAT_IF, uncertainty.scenarios(result, width - 1)
    lost, spread = tails(result), distributions(result, console, width - 1)
    gains = any(min(each.value_at_risk.value, each.expected_shortfall.value) < 0 for each in result.final_pnl.tails)
    yield f"What may be lost, {result.currency}", Group(lost, *([Text(_GAIN, style="dim")] if gains else []))
    legend = [Text(_OPEN, style="dim")] if has_open(lost) or has_open(spread) else []
    yield "How the paths spread, with ± the half-width of each 95% interval", Group(spread, *legend)
    if result.equity_fan.days:
        fan = Text("\n").join(fan_chart(result.equity_fan, width - 2))
        yield f"Balance over time, {result.currency}", fan
    yield "To be known before relying on this", warnings(result)


def header(result: SimulationResult) -> RenderableType:
    """What was simulated."""
    history, block = result.history, f", mean block {result.block_length:.3g} trades"
    model = _MODELS.get(result.model, "unknown") + (block if result.block_length > 1 else "")
    grid = Table.grid(padding=(0, 2))
    days, trades = counted(result.horizon_days, "trading day"), counted(result.path_steps, "trade")
    paths = f"{result.paths:,} over {days}, {trades}"
    grid.add_row("Paths", paths + _STOPPED.get(result.stop_reason, ""))
    grid.add_row("Model", model)
    grid.add_row(
        "History",
        f"{counted(history.trades, 'trade')} on {counted(history.days, 'day')}, "
        f"{history.first_day} to {history.last_day}, "
        f"mean {money(history.mean_pnl)} {result.currency}, {history.win_rate:.0%} won",
    )
    if result.HasField("diagnostics"):
        grid.add_row("Evidence", uncertainty.dependence(result))
        grid.add_row("Breaches", "looked for within trades" if result.diagnostics.intra_trade else _CLOSED_ONLY)
    grid.add_row(
        "Input", f"{result.input_digest[:16] or 'unknown'}, seed {result.seed}, engine {result.engine_version}"
    )
    return grid


_GAIN: Final = "Below 0 is a gain: even such a path ends above where it began."
_NO_AGE: Final = "How old the history is was not looked at, as no present was given (as_of)."
_CLOSED_ONLY: Final = "looked for at closed trades only, not within trades"


def phases(result: SimulationResult) -> RenderableType:
    """How far paths come."""
    grid = table(("phase", "left"), ("reached", "right"), ("95%", "right"), ("passed", "right"), ("95%", "right"))
    for each in result.phases:
        reached, passed = probability(each.reached), probability(each.passed)
        grid.add_row(
            str(each.phase), reached[0], Text(reached[1], style="dim"), passed[0], Text(passed[1], style="dim")
        )
    return grid


def tails(result: SimulationResult) -> Table:
    """Value at risk and expected shortfall of the final profit and loss."""
    grid = table(("", "left"), ("loss", "right"), ("std error", "right"), ("95% interval", "right"))
    for tail in result.final_pnl.tails:
        level = f"{tail.confidence:.0%}"
        _add_loss(grid, f"Value at risk {level}", tail.value_at_risk)
        _add_loss(grid, f"Expected shortfall {level}", tail.expected_shortfall)
    return grid


def distributions(result: SimulationResult, console: Console, width: int) -> Table:
    """Mean and quantiles of every figure, each with the half-width of its interval below it; as many as fit."""
    wide = [_distributions(result, levels) for levels in QUANTILES]
    anywhere = console.options.update_width(10 * MAX_WIDTH)
    return next((each for each in wide if console.measure(each, options=anywhere).maximum <= width), wide[-1])


def _distributions(result: SimulationResult, levels: Sequence[float]) -> Table:
    grid = table(("", "left"), ("mean", "right"), *((f"{level:.0%}", "right") for level in levels))
    for label, figure in _figures(result):
        found = {round(each.probability, 6): each.estimate for each in figure.quantiles}
        shown = [figure.mean, *(found[level] for level in levels if level in found)] if figure.count else []
        grid.add_row(label, *(with_error(each) for each in shown) if shown else (Text("none", style="dim"),))
    return grid


def _figures(result: SimulationResult) -> Iterator[tuple[str, Distribution]]:
    """Those that this result has; days to a pass only where one can pass."""
    yield "Final P&L", result.final_pnl
    if result.HasField("payout"):
        yield "Paid to the trader", result.payout
        yield "Payouts", result.payouts
    yield "Largest drawdown", result.max_drawdown
    if result.outcomes.HasField("passed"):
        yield "Days to pass", result.days_to_pass
    yield "Days to breach", result.days_to_breach
    if result.HasField("paused_days"):
        yield "Days paused", result.paused_days
    yield "Trades to the end", result.trades_to_end


def warnings(result: SimulationResult) -> RenderableType:
    """What the engine warns of, or that it warns of nothing."""
    if not result.warnings:
        return _no_warnings(result)
    grid = Table.grid(padding=(0, 1))
    for warning in result.warnings:
        grid.add_row(Text("!", style="bold yellow"), Text.assemble((warning.code, "yellow"), f"  {warning.message}"))
    return grid


def _no_warnings(result: SimulationResult) -> Text:
    found = Text("No warnings.", style="green")
    return found if result.diagnostics.HasField("age_days") else found.append(f" {_NO_AGE}", style="dim")


def time_line(result: SimulationResult, timing: Mapping[str, float] | None) -> Text:
    """One line saying where the time went."""
    stages = " · ".join(f"{name} {seconds(spent)}" for name, spent in (timing or {}).items())
    engine = f"engine {seconds(result.elapsed_s)}"
    if result.elapsed_s >= _RATED_S and result.path_steps >= _RATED_STEPS:
        engine += f", {rate(result.path_steps / result.elapsed_s)} trades/s"
    return Text(f"Time: {stages} ({engine})" if stages else f"Time: {engine}", style="dim")


def _add_loss(grid: Table, label: str, figure: Estimate) -> None:
    grid.add_row(label, Text(money(figure.value), style="bold"), money(figure.std_error), money_interval(figure))
