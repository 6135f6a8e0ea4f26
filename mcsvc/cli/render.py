"""A simulation job as text: its state, its subject, where it stands and how long it took."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Literal

from google.protobuf import json_format
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mcsvc.cli.arguments import again
from montecarlo.v1 import simulation_pb2 as pb
from riskio import report
from riskio.numbers import counted

_STYLES = {
    pb.SIMULATION_STATE_PENDING: "yellow",
    pb.SIMULATION_STATE_RUNNING: "cyan",
    pb.SIMULATION_STATE_SUCCEEDED: "green",
    pb.SIMULATION_STATE_FAILED: "red",
    pb.SIMULATION_STATE_CANCELLED: "magenta",
}
FINAL = {pb.SIMULATION_STATE_SUCCEEDED, pb.SIMULATION_STATE_FAILED, pb.SIMULATION_STATE_CANCELLED}


def print_json(message: Message) -> None:
    """ProtoJSON in snake_case on standard output."""
    sys.stdout.write(
        json_format.MessageToJson(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        + "\n"
    )


def state_name(simulation: pb.Simulation) -> str:
    """The state in lower case, e.g. `running`."""
    return _short(pb.SimulationState.Name(simulation.state), "SIMULATION_STATE_")


def subject_name(simulation: pb.Simulation) -> str:
    """What is simulated, in words."""
    match simulation.subject.WhichOneof("subject"):
        case "assessment_id":
            return f"assessment {simulation.subject.assessment_id}"
        case "funded_account_id":
            return f"funded account {simulation.subject.funded_account_id}"
        case "inline":
            return "trades and rules given inline"
        case _:
            return "unknown"


def summary(simulation: pb.Simulation, server: str) -> Table:
    """The job in a few lines, with the command to go on with."""
    grid = Table.grid(padding=(0, 2))
    grid.add_row("Simulation", simulation.id)
    grid.add_row("State", _state(simulation))
    grid.add_row("Subject", Text(subject_name(simulation)))
    grid.add_row("Triggered", f"by {_trigger(simulation)} at {_time(simulation)}")
    grid.add_row("Attempt", f"{simulation.attempt} of {simulation.max_attempts}")
    if simulation.HasField("progress") and simulation.progress.paths_total:
        done, total = simulation.progress.paths_done, simulation.progress.paths_total
        grid.add_row("Progress", f"{done:,} of {counted(total, 'path')}, {done / total:.0%}")
    if simulation.HasField("error"):
        grid.add_row("Error", Text(f"{simulation.error.code}: {simulation.error.message}", style="red"))
    if simulation.state == pb.SIMULATION_STATE_SUCCEEDED:
        grid.add_row("Report", Text(again(f"report {simulation.id}", server)))
    elif simulation.state not in FINAL:
        grid.add_row("Follow", Text(again(f"watch {simulation.id}", server)))
    return grid


def overview(simulations: list[pb.Simulation]) -> Table:
    """Jobs as a table, one a line; only a long subject is folded."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("id", "state", "subject", "trigger", "created", "took"):
        side: Literal["left", "right"] = "right" if heading == "took" else "left"
        table.add_column(heading, no_wrap=heading != "subject", justify=side, overflow="fold")
    for each in simulations:
        subject = Text(subject_name(each))
        table.add_row(each.id, _state(each), subject, _trigger(each), _time(each), _took(each))
    return table


def stdout(width: int | None = None) -> Console:
    """The console for results: as wide as asked for, else as the terminal, 100 columns where there is none."""
    return report.page(width or (None if sys.stdout.isatty() else 100))


def live() -> Console:
    """The console for what goes on while one waits: never wider than its terminal, where lines are drawn over."""
    return Console(width=None if sys.stdout.isatty() else 100)


def stderr() -> Console:
    """The console for progress, which must not mix with results."""
    return Console(stderr=True)


def _state(simulation: pb.Simulation) -> Text:
    return Text(state_name(simulation), style=_STYLES.get(simulation.state, ""))


def _trigger(simulation: pb.Simulation) -> str:
    return _short(pb.SimulationTrigger.Name(simulation.trigger), "SIMULATION_TRIGGER_").replace("_", " ")


def _short(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower()


def _time(simulation: pb.Simulation) -> str:
    return simulation.create_time.ToDatetime(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _took(simulation: pb.Simulation) -> str:
    if not simulation.HasField("finish_time"):
        return ""
    spent: timedelta = _moment(simulation.finish_time) - _moment(simulation.create_time)
    return f"{spent.total_seconds():.1f} s"


def _moment(timestamp: object) -> datetime:
    moment: datetime = timestamp.ToDatetime(UTC)  # type: ignore[attr-defined]  # a protobuf Timestamp
    return moment
