"""`mcsvc report`: the result of a simulation as a risk officer reads it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Final

from rich.console import Console

from mcsvc.cli import render
from mcsvc.cli.arguments import again
from mcsvc.cli.get import fetch
from mcsvc.cli.running import LINES, CliError
from montecarlo.v1 import simulation_pb2 as pb
from riskio import refusals
from riskio.report import render as render_result

_BAD_FIELDS: Final = "INPUT_INVALID"


def run(args: Namespace) -> int:
    """Print the report; fails unless the simulation has succeeded."""
    simulation = fetch(args.server, args.id)
    if args.output == "json":
        render.print_json(finished(simulation, args.server).result)
    else:
        print_report(simulation, args.server, render.stdout())
    return 0


def print_report(simulation: pb.Simulation, server: str, console: Console, *, trades: Path | None = None) -> None:
    """The report of a simulation that has succeeded. Raises CliError for any other.

    `trades` is the file that held the trades, so that those the engine refused are told by their lines.
    """
    timing = finished(simulation, server, trades).timing
    stages = {"queued": timing.queued_s, "fetch": timing.fetch_s, "simulate": timing.simulate_s}
    subject = render.subject_name(simulation)
    title = subject[0].upper() + subject[1:]
    render_result(simulation.result, console, title=title, timing=stages)


def finished(simulation: pb.Simulation, server: str, trades: Path | None = None) -> pb.Simulation:
    """The simulation, if it has a result; `trades` as of `print_report`. Raises CliError with why it has none."""
    if simulation.state == pb.SIMULATION_STATE_SUCCEEDED:
        return simulation
    has_failed = simulation.state == pb.SIMULATION_STATE_FAILED
    how = "has failed" if has_failed else f"is {render.state_name(simulation)}"
    told = f"Simulation {simulation.id} {how} and has no result."
    if simulation.HasField("error"):
        told += f" {simulation.error.code}:{_reason(simulation.error, trades)}"
    elif simulation.state not in render.FINAL:
        told += f" Follow it with `{again(f'watch {simulation.id}', server)}`."
    raise CliError(told)


def _reason(error: pb.SimulationError, trades: Path | None) -> str:
    """What is wrong; with the file of the trades at hand, each bad field on a line, those of trades by their lines."""
    if error.code != _BAD_FIELDS or trades is None:
        return f" {error.message}"
    return LINES.join(["", *refusals.told_in_words(error.message, trades)])
