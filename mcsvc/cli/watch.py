"""`mcsvc watch`: follow a simulation until its end."""

from __future__ import annotations

from argparse import Namespace

from mcsvc.cli import client, render, watching
from montecarlo.v1 import simulation_pb2 as pb


def run(args: Namespace) -> int:
    """Follow, then print how it ended; 1 unless it succeeded."""
    console = render.stderr()
    with client.service(args.server) as stub, watching.goes_on(args.id, args.server, console):
        simulation = watching.follow(stub, args.id, args.server, console)
    if args.output == "json":
        render.print_json(simulation)
    else:
        render.stdout().print(render.summary(simulation, args.server))
    return 0 if simulation.state == pb.SIMULATION_STATE_SUCCEEDED else 1
