"""`mcsvc demo`: the whole system on this machine, from a Kafka event in to a report out, and nothing left behind."""

from __future__ import annotations

import time
from argparse import Namespace

from rich.console import Console
from rich.rule import Rule

from mcsvc.cli import client, kafka, render, watching
from mcsvc.cli.publish import new_event
from mcsvc.cli.report import print_report
from mcsvc.cli.stack_view import say, shown_stack
from mcsvc.config import load_kafka
from mcsvc.devstack.ports import free_port
from mcsvc.devstack.stack import Stack
from montecarlo.v1 import simulation_pb2 as pb
from montecarlo.v1.settings_pb2 import SimulationSettings
from montecarlo.v1.simulation_service_pb2 import GetSimulationRequest, TriggerSimulationRequest

_PATIENCE_S = 120.0


def run(args: Namespace) -> int:
    """Start, show an event's way and a call's way, stop."""
    began = time.monotonic()
    console = render.live()
    with shown_stack(console, grpc_port=free_port(), http_port=free_port()) as stack:
        say(console, f"All ready after {stack.startup_s:.1f} s", style="bold")
        _by_event(stack, console, args.assessment)
        _by_call(stack, console, args.funded_account, args.paths)
    spent = time.monotonic() - began
    say(console, f"Every part is stopped. {spent:.0f} s in all.", style="green")
    return 0


def _by_event(stack: Stack, console: Console, assessment_id: str) -> None:
    """An assessment is completed: Kafka in, Kafka out, and the report."""
    _heading(console, f"1. Assessment {assessment_id} is completed, and Kafka says so")
    access = load_kafka(stack.environment)
    outcomes = kafka.Outcomes(access)
    try:
        event = new_event(assessment_id)
        say(console, f"→ {kafka.publish(access, event)}: {assessment_id} {event.outcome}")
        with console.status("waiting for the completion event"):
            done = outcomes.wait_for(assessment_id, timeout_s=_PATIENCE_S, check=stack.check)
    finally:
        outcomes.close()
    say(console, f"← {kafka.COMPLETED} {done.simulation_id}\n")
    with client.service(stack.grpc_target) as stub:
        request = GetSimulationRequest(id=done.simulation_id)
        simulation = stub.GetSimulation(request, timeout=client.TIMEOUT_S).simulation
    print_report(simulation, stack.grpc_target, render.stdout())


def _by_call(stack: Stack, console: Console, account_id: str, paths: int) -> None:
    """A funded account is simulated on demand: gRPC in, progress while it runs, and the report."""
    _heading(console, f"2. Funded account {account_id} is simulated by a gRPC call")
    request = TriggerSimulationRequest(
        subject=pb.SimulationSubject(funded_account_id=account_id), settings=SimulationSettings(paths=paths)
    )
    with client.service(stack.grpc_target) as stub:
        simulation = stub.TriggerSimulation(request, timeout=client.TIMEOUT_S).simulation
        say(console, f"→ TriggerSimulation {simulation.id}")
        simulation = watching.follow(stub, simulation.id, stack.grpc_target, console)
    console.print()
    print_report(simulation, stack.grpc_target, render.stdout())


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(Rule(text, align="left", style="cyan"), width=min(console.width, 100))
