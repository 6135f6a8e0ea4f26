"""`make bench`: every row side by side in one run, as a table and as JSON; with --keep, in the history and its plot."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import accounts, against, gpu, history, processes, variants
from benchmarks.rows import Row
from simulator.result import ENGINE_VERSION

GROUPS: dict[str, Callable[[int, int], Sequence[Row]]] = {
    "peers": against.rows,
    "variants": variants.rows,
    "accounts": accounts.rows,
    "processes": processes.rows,
    "gpu": gpu.rows,
}


def main() -> None:
    """Run, print, and keep the figures."""
    options = parser().parse_args()
    rows: list[Row] = []
    for row in _measured(options):
        rows.append(row)
        Console(stderr=True).print(f"{row.what}: {row.figure:.3g} {row.unit}", highlight=False)
    Console(width=110).print(_table(rows, f"{options.threads} threads, best of {options.rounds} rounds, side by side"))
    report = {"machine": machine(options.threads), "rows": [row.as_json() for row in rows]}
    history.write(options.json, report)
    if options.keep:
        history.keep(report)


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    found = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    found.add_argument("--rounds", type=int, default=5, help="timed rounds of each contender (default 5)")
    found.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    found.add_argument("--only", choices=(*GROUPS, "ray"), action="append", help="this group of rows; may be repeated")
    found.add_argument("--ray", action="store_true", help="the rows of Ray Serve too: they start a cluster here")
    found.add_argument("--json", type=Path, default=Path(".cache/bench.json"), help="where the figures are written")
    found.add_argument("--keep", action="store_true", help="keep the figures in benchmarks/history, and plot them")
    return found


def machine(threads: int) -> dict[str, object]:
    """What the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    cpu = named[0] if named else platform.machine()
    return {"cpu": cpu, "cores": os.cpu_count(), "threads": threads, "engine": ENGINE_VERSION}


def _measured(options: argparse.Namespace) -> Iterator[Row]:
    for name, rows in GROUPS.items():
        if not options.only or name in options.only:
            yield from rows(options.threads, options.rounds)
    if options.ray or "ray" in (options.only or ()):
        from benchmarks import serving  # noqa: PLC0415 — only here is Ray needed

        yield from serving.rows(options.threads, options.rounds)


def _table(rows: Sequence[Row], title: str) -> Table:
    table = Table(title=title)
    for column in ("what", "figure", "goal", ""):
        table.add_column(column, justify="right" if column == "figure" else "left")
    for row in rows:
        verdict = {None: "", True: "[green]met[/]", False: "[red]missed[/]"}[row.met]
        table.add_row(row.what, f"{row.figure:.3g} {row.unit}", "" if row.goal is None else str(row.goal), verdict)
    return table


if __name__ == "__main__":
    main()
