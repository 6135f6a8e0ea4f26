"""`make bench`: every row side by side in one run, as a table and as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import engine
from simulator.result import ENGINE_VERSION


def main() -> None:
    """Run, print, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="timed rounds of each contender (default 3)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path, default=Path(".cache/bench.json"), help="where the figures are kept")
    options = parser.parse_args()
    rows = engine.rows(options.threads, options.rounds)
    table = Table(title=f"{options.threads} threads, best of {options.rounds} rounds, side by side")
    for column in ("what", "figure", "goal"):
        table.add_column(column, justify="right" if column == "figure" else "left")
    for row in rows:
        table.add_row(str(row["what"]), f"{row['figure']:.2f} {row['unit']}", str(row["goal"] or ""))
    Console(width=100).print(table)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    machine = {"cpu": platform.processor(), "threads": options.threads, "engine": ENGINE_VERSION}
    options.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
