"""`mcsvc get`: one simulation, as it stands."""

from __future__ import annotations

from argparse import Namespace

from mcsvc.cli import client, render
from montecarlo.v1.simulation_pb2 import Simulation
from montecarlo.v1.simulation_service_pb2 import GetSimulationRequest


def run(args: Namespace) -> int:
    """Print it."""
    simulation = fetch(args.server, args.id)
    if args.output == "json":
        render.print_json(simulation)
    else:
        render.stdout().print(render.summary(simulation, args.server))
    return 0


def fetch(server: str, simulation_id: str) -> Simulation:
    """Read it from the service. Raises CliError."""
    with client.service(server) as stub:
        answer = stub.GetSimulation(GetSimulationRequest(id=simulation_id), timeout=client.TIMEOUT_S)
        return answer.simulation
