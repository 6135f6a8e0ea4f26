"""The figures as docs/methodology.md quotes them, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Figures = Mapping[str, Any]


def lines(figures: Figures) -> list[str]:
    """Every line of a table, and every number of a sentence."""
    of_each = (oracles, shortfalls, stopping, rare_events, histories, others)
    return [line for quoted in of_each for line in quoted(figures)]


def oracles(figures: Figures) -> Iterator[str]:
    """What is known exactly, beside what was found."""
    for row in figures["oracles"]:
        error = f"{row['std_error']:.2g}" if row["std_error"] else "0"
        off = "–" if row["off"] is None else f"{row['off']:.2f}"
        yield f"| {row['name']} | {row['truth']:.9g} | {row['engine']:.9g} | {error} | {off} |"


def shortfalls(figures: Figures) -> Iterator[str]:
    """How often the interval of an expected shortfall holds it, by the law of losses and the number of values."""
    for row in figures["shortfalls"]:
        yield f"| {row['law']} | {row['level']:.0%} | {' | '.join(f'{share:.1%}' for share in row['held'].values())} |"


def stopping(figures: Figures) -> Iterator[str]:
    """Bias and coverage where a precision stops the simulation."""
    for row in figures["stopping"]:
        share, bias = row["stopped at the first look"], row["bias in half-widths"]
        yield f"| {row['p']:g} | {row['half_width']:.3g} | {share:.0%} | {bias:.3f} | {row['coverage']:.1%} |"


def rare_events(figures: Figures) -> Iterator[str]:
    """Importance sampling of a drawdown and of a daily loss."""
    for seed, row in enumerate(figures["rare_daily"]["rows"], start=1):
        yield f"| {seed} | {row['weighted'][0]:.3g} | {span(row['weighted'][1:], '.3g')} | {row['error']:.3f} |"
    value, *ends = figures["rare_daily"]["plain"]
    yield f"{value:.3g} ({span(ends, '.2g')})"
    farthest, scatter = figures["rare_events"][-1], figures["rare_scatter"]
    yield f"{farthest['exact']:.5g}"
    yield f"{farthest['weighted'][0]:.5g}"
    yield f"{scatter['mean']:.2g}"
    yield f"{scatter['stated relative error']:.1%}"
    yield f"{scatter['scatter']:.1%}"
    yield f"{scatter['held']:.0%}"


def histories(figures: Figures) -> Iterator[str]:
    """What a history of 60 trades leaves open, and how often either interval holds the truth."""
    sixty = next(row for row in figures["growing"] if row["trades"] == 60)
    yield f"{span(sixty['sampling'], '.1%')}"
    yield f"{span(sixty['estimation'], '.1%')}"
    held = figures["held"]
    shares = [row["sampling"] for row in held["independent"]["rows"]]
    yield f"{span((min(shares), max(shares)), '.0%')}"
    leaning = {row["trades"]: row for row in held["dependent"]["rows"]}
    for row in held["independent"]["rows"]:
        other = leaning[row["trades"]]
        cells = (row["passed"], row["breached"], other["passed"], other["breached"])
        yield f"| {row['trades']} | {' | '.join(f'{share:.1%}' for share in cells)} |"


def others(figures: Figures) -> Iterator[str]:
    """Block lengths, and the expected shortfall of few paths."""
    for case in figures["block_lengths"]:
        length, found = case["stationary automatic"]
        yield f"{length:.1f}"
        yield f"{found:.1%}"
        yield f"{case['truth']:.1%}"
        yield f"{case['stationary'][0]:.1%}"
    for shares in figures["coverage"]["shares"].values():
        yield f"{shares['expected shortfall 99%']:.1%}"


def span(ends: Any, form: str) -> str:
    """From one number to another."""
    low, high = ends
    return f"{low:{form}} to {high:{form}}"
