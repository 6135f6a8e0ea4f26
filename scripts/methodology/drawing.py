"""The plots of docs/methodology.md, drawn from the numbers of docs/plots/figures.json alone.

Colours are those of Okabe & Ito, which colour-blind readers can tell apart; marks differ in shape too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter

BLUE: Final = "#0072B2"
ORANGE: Final = "#E69F00"
RED: Final = "#D55E00"
GREY: Final = "#666666"

STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "methodology",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}

Figures = Mapping[str, Any]
Interval = Sequence[float]


def draw(figures: Figures, folder: Path, kind: str = "svg") -> None:
    """Writes every plot into the folder; equal figures give equal bytes."""
    with mpl.rc_context(STYLE):
        for name, plot in PLOTS.items():
            metadata = {"Date": None, "Creator": None} if kind == "svg" else None
            plot(figures).savefig(folder / f"{name}.{kind}", format=kind, metadata=metadata, dpi=110)


def history_length(figures: Figures) -> Figure:
    """Both errors of P(pass) as a history grows, and how often each holds the truth."""
    figure = Figure(figsize=(9, 3.6))
    left, right = figure.subplots(1, 2)
    rows = figures["growing"]
    at, middle = [row["trades"] for row in rows], [row["passed"] for row in rows]
    upright(left, at, [row["estimation"] for row in rows], color=ORANGE, linewidth=5, label="estimation risk, 95%")
    left.plot(at, middle, "o", color=BLUE, label="estimate; its sampling error, 95%,\nis less than the mark")
    left.set(xscale="log", xlabel="trades of the history (log scale)", ylabel="P(passed)", ylim=(0, 1))
    left.set_title("One trader, a longer and longer history")
    left.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    whole_numbers(left, at)
    left.legend(loc="upper right")
    held, leaning = (figures["held"][kind]["rows"] for kind in ("independent", "dependent"))
    at = [row["trades"] for row in held]
    right.axhline(0.95, color=GREY, linewidth=1, linestyle="--")
    right.plot(at, [row["passed"] for row in held], "s-", color=ORANGE, label="estimation risk")
    right.plot(at, [row["passed"] for row in leaning], "D--", color=RED, label="estimation risk, dependent trades")
    right.plot(at, [row["sampling"] for row in held], "o-", color=BLUE, label="sampling error")
    right.set(xscale="log", xlabel="trades of the history (log scale)", ylim=(0, 1.02))
    right.set_title("How often the interval holds the trader's true P(passed)")
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    whole_numbers(right, at)
    right.legend(loc="center right")
    return figure


def block_length(figures: Figures) -> Figure:
    """P(breach) by block length, beside the truth, for two kinds of dependence."""
    figure = Figure(figsize=(9, 3.6))
    for axes, case in zip(figure.subplots(1, 2), figures["block_lengths"], strict=True):
        axes.axhline(case["truth"], color=GREY, linewidth=1.2, linestyle="--", label="truth")
        axes.plot(case["lengths"], case["stationary"], "o-", color=BLUE, label="stationary")
        axes.plot(case["lengths"], case["circular"], "s-", color=ORANGE, label="circular")
        axes.plot(case["lengths"][0], case["stationary"][0], "D", color="black", label="one by one (iid)")
        length, found = case["stationary automatic"]
        axes.plot(length, found, "*", color=RED, markersize=14, label="stationary, automatic length")
        axes.set(xscale="log", xlabel="block length, trades (log scale)", ylim=(0, 1.25 * case["truth"]))
        axes.set_title(case["title"])
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
        whole_numbers(axes, case["lengths"])
    left = figure.axes[0]
    left.set_ylabel("P(breach within 60 trades)")
    left.legend(loc="lower right")
    return figure


def coverage(figures: Figures) -> Figure:
    """How often intervals of either size of run hold the truth, figure by figure."""
    figure = Figure(figsize=(9, 4))
    axes, shares, runs = figure.subplots(), figures["coverage"]["shares"], figures["coverage"]["runs"]
    names = list(next(iter(shares.values())))
    error, marks = (0.95 * 0.05 / runs) ** 0.5, len(shares) * len(names)
    for reach, of, shade in ((furthest(marks), f"all {marks} marks", "#eeeeee"), (furthest(1), "one mark", "#d8d8d8")):
        axes.axvspan(0.95 - reach * error, 0.95 + reach * error, color=shade, label=f"where chance puts {of}")
    axes.axvline(0.95, color=GREY, linewidth=1, linestyle="--")
    for (paths, found), mark, colour in zip(shares.items(), ("o", "s"), (BLUE, ORANGE), strict=True):
        label = f"runs of {int(paths):,} paths"
        axes.plot([found[name] for name in names], range(len(names)), mark, color=colour, label=label)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_title("How often 95% intervals hold the truth")
    axes.set(xlim=(0.9, 1.003), xlabel="share of runs whose 95% interval holds the truth")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def rare_events(figures: Figures) -> Figure:
    """P(ruin) by distance: exact, by plain paths and by weighted ones."""
    figure = Figure(figsize=(7.5, 3.8))
    axes, rows, floor = figure.subplots(), figures["rare_events"], 1e-10
    at = [row["distance"] for row in rows]
    axes.plot(at, [row["exact"] for row in rows], "--", color=GREY, label="exact, (9/11)^z", zorder=1)
    seen = [row for row in rows if row["plain"][0] > 0]
    beside = [row["distance"] - 0.7 for row in seen]
    upright(axes, beside, [row["plain"][1:] for row in seen], color=ORANGE, linewidth=2)
    axes.plot(
        beside, [row["plain"][0] for row in seen], "s", color=ORANGE, markersize=4, label="16,384 plain paths, 95%"
    )
    for row in rows:
        if row["plain"][0] == 0:
            axes.plot(row["distance"], row["plain"][2], "v", color=ORANGE)
            axes.vlines(row["distance"], floor, row["plain"][2], color=ORANGE, linestyle=":", linewidth=1)
    axes.plot([], [], "v", color=ORANGE, linestyle=":", label="plain paths, no breach seen: 95% upper end")
    axes.plot(
        at,
        [row["weighted"][0] for row in rows],
        "o",
        color=BLUE,
        label="importance sampling (error smaller than the mark)",
    )
    axes.set(yscale="log", ylim=(floor, 1), xlabel="distance z of the floor, trades", ylabel="P(ruin) (log scale)")
    axes.set_title("Ruin of a walk that rises with probability .55")
    axes.legend(loc="upper right")
    return figure


def scenarios(figures: Figures) -> Figure:
    """Differences of P(pass) with their intervals, both ways."""
    figure = Figure(figsize=(7.5, 3.4))
    axes, rows = figure.subplots(), figures["scenarios"]
    axes.axvline(0, color=GREY, linewidth=1)
    ways = (("paired", -0.14, BLUE, "o", "common random numbers"), ("independent", 0.14, ORANGE, "s", "unlike seeds"))
    for way, shift, colour, mark, label in ways:
        values = [row[way][0] for row in rows]
        errors = [[row[way][0] - row[way][1] for row in rows], [row[way][2] - row[way][0] for row in rows]]
        places = [place + shift for place in range(len(rows))]
        axes.errorbar(values, places, xerr=errors, fmt=mark, color=colour, capsize=3, markersize=4, label=label)
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axes.invert_yaxis()
    axes.set_title("What a scenario changes")
    axes.set_xlabel("difference of P(passed) in points, with its 95% interval, 16,384 paths")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def furthest(marks: int) -> float:
    """Standard errors within which all of so many independent normal marks are, with a probability of 95%."""
    return NormalDist().inv_cdf((1 + 0.95 ** (1 / marks)) / 2)


def upright(axes: Axes, at: Sequence[float], ends: Sequence[Interval], **look: Any) -> None:
    """Intervals as upright bars."""
    axes.vlines(at, [low for low, _ in ends], [high for _, high in ends], **look)


def whole_numbers(axes: Axes, at: Sequence[int]) -> None:
    """Ticks at these places alone, on an axis by logarithms."""
    axes.set_xticks(at, [str(each) for each in at])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", which="minor", length=0)
    axes.grid(visible=False, axis="x", which="minor")


PLOTS: Final[dict[str, Callable[[Figures], Figure]]] = {
    "history-length": history_length,
    "block-length": block_length,
    "coverage": coverage,
    "rare-events": rare_events,
    "scenarios": scenarios,
}
