"""`mcsvc cancel`: ask a simulation to stop."""

from __future__ import annotations

from argparse import Namespace

from mcsvc.cli import client, render
from montecarlo.v1.simulation_service_pb2 import CancelSimulationRequest


def run(args: Namespace) -> int:
    """Cancel it and print how it stands now."""
    with client.service(args.server) as stub:
        request = CancelSimulationRequest(id=args.id)
        simulation = stub.CancelSimulation(request, timeout=client.TIMEOUT_S).simulation
    if args.output == "json":
        render.print_json(simulation)
    else:
        render.stdout().print(render.summary(simulation, args.server))
    return 0
