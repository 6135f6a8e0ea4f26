"""Following a simulation to its end: a live bar on a terminal, a line at each change elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

import grpc
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from mcsvc.cli import client, render
from mcsvc.cli.arguments import again
from mcsvc.cli.running import CliError, Interrupted
from montecarlo.v1 import simulation_pb2 as pb
from montecarlo.v1.simulation_service_pb2 import WatchSimulationRequest
from montecarlo.v1.simulation_service_pb2_grpc import SimulationServiceStub

_RECONNECTS = 10
PAUSE_S = 1.0


@contextmanager
def goes_on(simulation_id: str, server: str, console: Console) -> Iterator[None]:
    """An interrupt ends who follows the simulation, not the simulation: then say so, and with what to go on."""
    try:
        yield
    except Interrupted:
        commands = ", ".join(again(f"{verb} {simulation_id}", server) for verb in ("watch", "cancel"))
        console.print(f"It goes on: {commands}", soft_wrap=True, highlight=False)
        raise


def follow(stub: SimulationServiceStub, simulation_id: str, server: str, console: Console) -> pb.Simulation:
    """Show the simulation until it is final; the final state. Raises RpcError, CliError if the service goes away."""
    if not console.is_terminal:
        return _last(stub, simulation_id, server, _Lines(console).show)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TextColumn("{task.fields[paths]}"), TimeElapsedColumn(), console=console) as progress:
        bar = progress.add_task("queued", total=None, paths="")

        def show(simulation: pb.Simulation) -> None:
            done, total = _paths(simulation)
            paths = f"{done / 1e6:.2f} of {total / 1e6:.2f} M paths" if total else ""
            progress.update(bar, description=stage(simulation), completed=done, total=total or None, paths=paths)

        return _last(stub, simulation_id, server, show)


def stage(simulation: pb.Simulation) -> str:
    """What is going on, in a word or two."""
    match simulation.state:
        case pb.SIMULATION_STATE_PENDING:
            return "queued" if simulation.attempt == 0 else f"waiting for attempt {simulation.attempt + 1}"
        case pb.SIMULATION_STATE_RUNNING:
            return "simulating" if simulation.progress.paths_total else "fetching the inputs"
        case _:
            return render.state_name(simulation)


class _Lines:
    """Prints a line whenever the stage changes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown = ""

    def show(self, simulation: pb.Simulation) -> None:
        """Print the stage if it is another one."""
        if stage(simulation) != self._shown:
            self._shown = stage(simulation)
            self._console.print(f"{simulation.id}  {self._shown}", highlight=False)


def _last(
    stub: SimulationServiceStub, simulation_id: str, server: str, show: Callable[[pb.Simulation], None]
) -> pb.Simulation:
    latest = pb.Simulation()
    for simulation in _states(stub, simulation_id, server):
        latest = simulation
        show(latest)
    return latest


def _states(stub: SimulationServiceStub, simulation_id: str, server: str) -> Iterator[pb.Simulation]:
    """Every state until the final one; a broken stream is taken up again, for the present state comes first."""
    seen, failures = False, 0
    while True:
        try:
            for answer in stub.WatchSimulation(WatchSimulationRequest(id=simulation_id)):
                seen, failures = True, 0
                yield answer.simulation
                if answer.simulation.state in render.FINAL:
                    return
        except grpc.RpcError as error:
            failures += 1
            if not seen or client.code_of(error) is not grpc.StatusCode.UNAVAILABLE:
                raise
            if failures > _RECONNECTS:
                watch = again(f"watch {simulation_id}", server)
                raise CliError(f"The service has gone, its simulations have not: once it is back, {watch}.") from None
            Event().wait(PAUSE_S)


def _paths(simulation: pb.Simulation) -> tuple[int, int]:
    """Paths done and to do; all of them once the simulation has succeeded."""
    if simulation.state == pb.SIMULATION_STATE_SUCCEEDED:
        return simulation.result.paths, simulation.result.paths
    return simulation.progress.paths_done, simulation.progress.paths_total
