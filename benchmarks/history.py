"""The figures of each commit, in benchmarks/history, and a plot of those that have a goal."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from textwrap import wrap
from typing import Any
from xml.sax.saxutils import escape

FOLDER = Path(__file__).with_name("history")
PLOT = FOLDER / "history.svg"
WIDTH, HEIGHT, MARGIN, COLUMNS = 300, 166, 26, 3
HEAD, LETTERS, FOOT = 42, 46, 34
"""The height of a panel's title, of at most two lines of so many letters, and of the line below all panels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure over the commits: what, its unit and goal, and its place and value in each commit that has it."""

    what: str
    unit: str
    goal: str
    points: Sequence[tuple[int, float]]


def write(file: Path, report: Mapping[str, object]) -> None:
    """The figures as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def keep(report: Mapping[str, object]) -> Path:
    """Keeps the figures under the date and the commit, and plots the history again; the file."""
    commit, when = _git("rev-parse", "--short=10", "HEAD"), _git("show", "-s", "--format=%ct", "HEAD")
    changed = bool(_git("status", "--porcelain", "--untracked-files=no"))
    day = datetime.fromtimestamp(int(when), UTC).strftime("%Y%m%d-%H%M%S")
    file = FOLDER / f"{day}-{commit}{'-changed' if changed else ''}.json"
    write(file, {"commit": commit, "changed": changed, **report})
    PLOT.write_text(plot(list(_reports())), encoding="utf-8")
    return file


def lines_of(reports: Sequence[Mapping[str, Any]]) -> list[Line]:
    """The figures with a goal, in the order of the latest report."""
    found = []
    for row in reports[-1]["rows"] if reports else []:
        if row["goal"]:
            values = [(place, _figure(report, row["key"])) for place, report in enumerate(reports)]
            points = [(place, value) for place, value in values if value is not None]
            found.append(Line(what=row["what"], unit=row["unit"], goal=row["goal"], points=points))
    return found


def plot(reports: Sequence[Mapping[str, Any]]) -> str:
    """Small multiples as SVG: one figure each, commits from left to right, the goal as a dashed line."""
    lines = lines_of(reports)
    below = -(-len(lines) // COLUMNS) * HEIGHT
    parts = [_panel(line, len(reports), index) for index, line in enumerate(lines)]
    if reports:
        about = f"{len(reports)} commits, from {reports[0]['commit']} to {reports[-1]['commit']}"
        parts.append(f'<text x="{MARGIN}" y="{below + FOOT // 2}" fill="#555">{escape(about)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{COLUMNS * WIDTH}" height="{below + FOOT}"'
        ' font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _panel(line: Line, commits: int, index: int) -> str:
    left, top = index % COLUMNS * WIDTH, index // COLUMNS * HEIGHT
    goal = float(line.goal.split()[-1])
    most = max(goal, *(value for _, value in line.points)) * 1.15

    def x(place: int) -> float:
        return left + MARGIN + (WIDTH - 2 * MARGIN) * (place / (commits - 1) if commits > 1 else 0.5)

    def y(value: float) -> float:
        return top + HEIGHT - MARGIN - (HEIGHT - HEAD - MARGIN) * value / most

    path = " ".join(f"{x(place):.1f},{y(value):.1f}" for place, value in line.points)
    dots = "".join(f'<circle cx="{x(p):.1f}" cy="{y(v):.1f}" r="2.5" fill="#1f5fa8"/>' for p, v in line.points)
    title = "".join(
        f'<text x="{left + MARGIN}" y="{top + 16 + 13 * number}">{escape(text)}</text>\n'
        for number, text in enumerate(wrap(line.what, LETTERS, max_lines=2))
    )
    last = f"{line.points[-1][1]:.3g} {line.unit}".strip()
    return (
        f"{title}"
        f'<line x1="{left + MARGIN}" x2="{left + WIDTH - MARGIN}" y1="{y(0):.1f}" y2="{y(0):.1f}" stroke="#999"/>'
        f'<line x1="{left + MARGIN}" x2="{left + WIDTH - MARGIN}" y1="{y(goal):.1f}" y2="{y(goal):.1f}"'
        ' stroke="#b3452c" stroke-dasharray="4 3"/>'
        f'<polyline points="{path}" fill="none" stroke="#1f5fa8" stroke-width="1.5"/>{dots}\n'
        f'<text x="{left + MARGIN}" y="{top + HEIGHT - 8}" fill="#555">{last}, goal {escape(line.goal)}</text>'
    )


def _reports() -> Iterator[Mapping[str, Any]]:
    for file in sorted(FOLDER.glob("*.json")):
        yield json.loads(file.read_text(encoding="utf-8"))


def _figure(report: Mapping[str, Any], key: str) -> float | None:
    return next((float(row["figure"]) for row in report["rows"] if row["key"] == key), None)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, cwd=FOLDER.parent)
    return done.stdout.strip()
