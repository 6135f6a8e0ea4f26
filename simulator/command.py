"""mcsim: the simulator's own command, without any server."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from google.protobuf import json_format
from rich.console import Console
from rich.progress import Progress

from montecarlo.v1 import settings_pb2
from montecarlo.v1.result_pb2 import SimulationResult
from riskio import files, refusals, report
from riskio import options as asked
from riskio.files import InvalidFile
from riskio.numbers import counted
from simulator import codec, compile_cache, crew, engine, result
from simulator.errors import InvalidInput

BAD_INPUT: Final = 2
MODELS: Final = {
    "iid": settings_pb2.RESAMPLING_MODEL_IID,
    "day": settings_pb2.RESAMPLING_MODEL_DAY,
    "stationary": settings_pb2.RESAMPLING_MODEL_STATIONARY,
    "circular": settings_pb2.RESAMPLING_MODEL_CIRCULAR,
    "normal": settings_pb2.RESAMPLING_MODEL_NORMAL,
    "student-t": settings_pb2.RESAMPLING_MODEL_STUDENT_T,
}
EXAMPLE: Final = (
    "example: mcsim simulate --trades trades.csv --rules rules.yaml --paths 1000000 --horizon-days 60 --seed 7"
)


def run(arguments: Sequence[str] | None) -> int:
    """Runs the command; 0 if it went well, 2 for a bad input. Raises: OSError if the output cannot be written."""
    options = parser().parse_args(arguments)
    try:
        simulate(options)
    except InvalidInput as invalid:
        tell(invalid, options.trades)
        return BAD_INPUT
    except InvalidFile as invalid:
        print(f"mcsim: {invalid}", file=sys.stderr)
        return BAD_INPUT
    except OSError as unreadable:
        if unreadable.filename is None:
            raise
        print(f"mcsim: {unreadable.filename}: {unreadable.strerror}", file=sys.stderr)
        return BAD_INPUT
    return 0


def tell(invalid: InvalidInput, trades: Path) -> None:
    """Prints what is wrong, on a line each, those of trades with their line in the file."""
    for line in refusals.told([(each.field, each.description) for each in invalid.violations], trades):
        print(f"mcsim: {line}", file=sys.stderr)
    if invalid.more:
        print(f"mcsim: {counted(invalid.more, 'more field is bad', 'more fields are bad')}", file=sys.stderr)


def simulate(options: argparse.Namespace) -> None:
    """Reads the files, simulates, prints the result.

    Raises: InvalidFile, InvalidInput, OSError.
    """
    started = time.perf_counter()
    message = files.read_input(options.trades, options.rules)
    message.settings.CopyFrom(settings(options))
    plan = engine.plan(codec.decode(message), codec.digest(message))
    keep_kernels(options.compile_cache)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("preparing", total=plan.paths)
        found = crew.simulate(
            plan, lambda done, total: bar.update(task, description="simulating", completed=done, total=total)
        )
    answer = result.build(plan, found, time.perf_counter() - started)
    if options.format == "json":
        print(as_json(answer))
    else:
        report.render(answer, report.page())


def keep_kernels(folder: str | None) -> None:
    """Keeps compiled kernels in this folder, "" for none; without one, in the user's own, if there can be one.

    Raises: OSError if the folder that was asked for cannot be made.
    """
    if folder is None:
        with suppress(OSError, RuntimeError):
            compile_cache.keep_in(compile_cache.of_the_user())
    elif folder:
        compile_cache.keep_in(Path(folder))


def as_json(found: SimulationResult) -> str:
    """ProtoJSON in snake_case; a zero is printed, for it is a figure too."""
    return json_format.MessageToJson(found, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def settings(options: argparse.Namespace) -> settings_pb2.SimulationSettings:
    """The settings that the options ask for."""
    found = settings_pb2.SimulationSettings(
        paths=options.paths,
        horizon_days=options.horizon_days,
        model=MODELS[options.model],
        trades_per_day=options.trades_per_day,
        block_length=options.block_length,
    )
    if options.seed is not None:
        found.seed = options.seed
    asked.apply(options, found)
    return found


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    top = argparse.ArgumentParser(prog="mcsim", description="What may become of a trading account.", epilog=EXAMPLE)
    top.add_argument("--version", action="version", version=f"mcsim {result.ENGINE_VERSION}")
    command = top.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "simulate", help="simulate one account from files", epilog=EXAMPLE
    )
    command.add_argument("--trades", type=Path, required=True, help=files.COLUMNS)
    command.add_argument("--rules", type=Path, required=True, help="YAML or JSON: the account's rules, and its state")
    _add_settings(command)
    command.add_argument("--format", choices=("text", "json"), default="text", help="what to print (default: text)")
    command.add_argument(
        "--compile-cache", metavar="DIR", default=os.environ.get("MCSIM_COMPILE_CACHE"),
        help="keep compiled kernels here for later runs, '' for nowhere"
        " (default: MCSIM_COMPILE_CACHE, else ~/.cache/mcsim)",
    )  # fmt: skip
    return top


def _add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--paths", type=asked.whole(1, 10**10), default=0, metavar="N",
        help="paths (default: 100000, or 100000000 at the most with --precision or --time-budget)",
    )  # fmt: skip
    command.add_argument(
        "--horizon-days", type=asked.whole(1, 10_000), default=0, metavar="N",
        help="trading days to simulate (default: the time limit of the rules, else 60)",
    )  # fmt: skip
    command.add_argument(
        "--model", choices=tuple(MODELS), default="stationary", help="how futures are drawn (default: stationary)"
    )
    command.add_argument(
        "--trades-per-day", type=_trades_per_day, default=0, metavar="history|N", help="default: as in the history"
    )
    command.add_argument(
        "--block-length",
        type=float,
        default=0.0,
        metavar="X",
        help="block in trades: the mean of stationary, the length of circular (default: chosen)",
    )
    command.add_argument(
        "--seed", type=asked.whole(0, 2**64 - 1), metavar="N", help="of the random numbers (default: from the input)"
    )
    asked.add(command.add_argument_group("how far to go, and how sure to be"))


def _trades_per_day(text: str) -> int:
    return 0 if text == "history" else asked.whole(1, 10_000)(text)
