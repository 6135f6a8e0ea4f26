"""What a process costs as a whole: its first result, its memory, its compilations."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.case import as_input, typical
from benchmarks.rows import Row, at_most
from benchmarks.runs import plan_of
from simulator import compiled, engine

FEW_PATHS, MANY_PATHS = 10**6, 10**9
FEW_PEAKS, MANY_PEAKS = 7, 2
"""Processes of each size, of which the median counts: it depends by some MiB on which thread asks for memory first."""
MCSIM = [sys.executable, "-c", "import sys; from simulator.cli import main; sys.exit(main())", "simulate"]
SAMPLES = Path(__file__).parents[1] / "mcsvc/devstack/samples"


def rows(threads: int, rounds: int) -> list[Row]:
    """The rows of whole processes."""
    return [_compilations(), *_first_result(rounds), *_rare(rounds), _memory(threads)]


def _compilations() -> Row:
    """Of twenty jobs of one shape, of unlike histories, rules and sizes: one kernel with the fan, and one without."""
    compiled.forget()
    for number in range(20):
        case = typical(10_000 + 997 * number, history=number)
        message = as_input(case)
        message.settings.horizon_days = 20 + number
        message.rules.profit_target.amount = f"{1_000 + 100 * number}"
        plan = plan_of(message)
        engine.run(plan, 0, plan.blocks, threads=1)
    return Row(
        key="kernels",
        what="kernels compiled for 20 jobs of one shape",
        figure=compiled.count(),
        unit="kernels",
        goal=at_most(2),
    )


def _first_result(rounds: int) -> list[Row]:
    """From the start of a process to its result: `mcsim simulate`, with kernels kept by an earlier process. And, beside
    it, of a process that only imports jax.
    """
    with tempfile.TemporaryDirectory(prefix="mc-bench-") as folder:
        command = [
            *MCSIM, "--trades", str(SAMPLES / "trades/steady.csv"),
            "--rules", str(SAMPLES / "rules/assessment-50k-eod.yaml"),
            "--horizon-days", "60", "--format", "json", "--compile-cache", folder,
        ]  # fmt: skip
        took = [(_seconds_of(command), _seconds_of([sys.executable, "-c", "import jax"])) for _ in range(rounds + 1)]
    first, bare = (min(each) for each in zip(*took[1:], strict=True))
    what = "first result of a fresh process, warm cache"
    return [
        Row(key="first_result", what=what, figure=first, unit="s", goal=at_most(1.5)),
        Row(key="import_jax", what="a fresh process that only imports jax", figure=bare, unit="s"),
    ]


def _seconds_of(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def _rare(rounds: int) -> list[Row]:
    """P(ruin) of a walk up with .55 from 100 above the floor, 1.92744693e-9 (Feller I, XIV), by `mcsim simulate`."""
    with tempfile.TemporaryDirectory(prefix="mc-bench-") as folder:
        place = Path(folder)
        moves = ["1.00"] * 11 + ["-1.00"] * 9
        lines = [f"2025-01-{day:02d}T15:00:00Z,{move}" for day, move in enumerate(moves, start=1)]
        (place / "walk.csv").write_text("\n".join(["closed_at,pnl", *lines]) + "\n", encoding="utf-8")
        rules = {
            "starting_balance": "1000",
            "currency": "USD",
            "max_drawdown": {"kind": "STATIC", "amount": "100"},
            "breach": "AT_OR_BELOW",
        }
        (place / "rules.json").write_text(json.dumps(rules), encoding="utf-8")
        command = [
            *MCSIM, "--trades", str(place / "walk.csv"), "--rules", str(place / "rules.json"), "--model", "iid",
            "--trades-per-day", "1", "--horizon-days", "3000", "--paths", "60000", "--seed", "7", "--format", "json",
            "--compile-cache", folder,
        ]  # fmt: skip
        seconds, answers = [], []
        for _ in range(max(2, rounds // 2)):
            begin = time.perf_counter()
            answers.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            seconds.append(time.perf_counter() - begin)
    [event] = json.loads(answers[0])["rare_events"]
    off = abs(event["probability"]["value"] - 1.92744693e-9) / event["probability"]["std_error"]
    assert off < 4.5, f"the figure is {off:.1f} standard errors off"
    return [
        Row(key="rare_s", what="1.9e-9 by mcsim, first run", figure=seconds[0], unit="s", goal=at_most(10)),
        Row(key="rare_error", what="its relative error", figure=event["relative_error"], unit="", goal=at_most(0.05)),
    ]


def _memory(threads: int) -> Row:
    with tempfile.TemporaryDirectory(prefix="mc-bench-") as folder:
        _peak_mib(FEW_PATHS, threads, folder)  # compiles, for which it takes twice as much as for the paths
        few, many = (
            statistics.median(_peak_mib(paths, threads, folder) for _ in range(processes))
            for paths, processes in ((FEW_PATHS, FEW_PEAKS), (MANY_PATHS, MANY_PEAKS))
        )
    return Row(
        key="memory",
        what=f"peak memory, 10^9 paths over 10^6 ({few:.0f} MiB)",
        figure=many / few,
        unit="x",
        goal=at_most(1.05),
    )


def _peak_mib(paths: int, threads: int, folder: str) -> float:
    """Of a process that simulates so many paths of one day, with kernels kept in a folder, and makes the result.

    What getrusage tells would be that of this process, if it has more: Linux hands it on.
    """
    code = (
        "import json, pathlib, sys\n"
        "from benchmarks.case import as_input, typical\n"
        "from benchmarks.runs import plan_of\n"
        "from simulator import compile_cache, engine, result\n"
        "compile_cache.keep_in(pathlib.Path(sys.argv[3]))\n"
        "message = as_input(typical(int(sys.argv[1])))\n"
        "message.settings.horizon_days = 1\n"
        "plan = plan_of(message)\n"
        "tally = engine.run(plan, 0, plan.blocks, threads=int(sys.argv[2]))\n"
        "paths = result.build(plan, tally, 0.0).paths\n"
        "peak = pathlib.Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]\n"
        "print(json.dumps([paths, int(peak) / 1024]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(paths), str(threads), folder], check=True, capture_output=True, text=True
    )
    simulated, peak = json.loads(done.stdout)
    assert simulated == paths
    return float(peak)
