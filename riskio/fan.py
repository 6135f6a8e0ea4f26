"""The equity fan as lines of text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
from typing import Final

from rich.text import Text

from montecarlo.v1.result_pb2 import EquityFan
from riskio.numbers import counted

FAN_ROWS: Final = 15
_OUTER, _INNER, _MEDIAN = ("░", "cyan"), ("▓", "cyan"), ("━", "bold white")


def fan_chart(fan: EquityFan, width: int, rows: int = FAN_ROWS) -> Iterable[Text]:
    """The fan as lines of text: the 5–95% and 25–75% bands and the median, days to the right."""
    if len(fan.days) < 2:
        return [Text("No day was simulated.", style="dim")]
    lines = [[each.estimate.value for each in day.quantiles] for day in fan.days]
    ticks = _ticks(min(map(min, lines)), max(map(max, lines)))
    digits = _digits(ticks[1] - ticks[0])
    margin = max(len(f"{tick:,.{digits}f}") for tick in ticks) + 2
    low, step = ticks[0], (ticks[-1] - ticks[0]) / (rows - 1)
    columns = [
        [round((value - low) / step) for value in _at(fan, lines, column / (width - margin - 1))]
        for column in range(width - margin)
    ]
    labels = {round((tick - low) / step): f"{tick:,.{digits}f}" for tick in ticks}
    body = [_chart_line(labels.get(row, ""), margin, row, columns) for row in reversed(range(rows))]
    legend = Text.assemble(
        " " * margin, _OUTER, " 5–95%  ", _INNER, " 25–75%  ", _MEDIAN, f" median of {counted(fan.paths, 'path')}"
    )
    return [*body, *_day_axis(fan.days[-1].day, width - margin, margin), legend]


def _ticks(low: float, high: float) -> Sequence[float]:
    """Round numbers that span low to high, about five of them."""
    span = high - low or abs(high) or 1.0
    size = 10 ** math.floor(math.log10(span / 4))
    step = size * next(factor for factor in (1, 2, 2.5, 5, 10) if span / (size * factor) <= 5)
    first, last = math.floor(low / step), max(math.ceil(high / step), math.floor(low / step) + 1)
    return [index * step for index in range(first, last + 1)]


def _digits(step: float) -> int:
    """The decimals that tell steps apart."""
    return next((digits for digits in range(12) if math.isclose(round(step, digits), step, rel_tol=1e-6)), 12)


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
