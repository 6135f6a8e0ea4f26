"""`mcsvc devstack`: the whole system on this machine, until Ctrl-C, with commands to copy."""

from __future__ import annotations

from argparse import Namespace
from threading import Event

from rich.console import Console

from mcsvc.cli import render
from mcsvc.cli.running import Interrupted
from mcsvc.cli.stack_view import say, shown_stack
from mcsvc.devstack.ports import free_port
from mcsvc.devstack.stack import Stack

_SERVICE = "montecarlo.v1.SimulationService"
_CHECK_S = 0.5


def run(args: Namespace) -> int:
    """Start, tell how to use it, stay."""
    console = render.stdout()
    grpc_port, http_port = free_port(args.grpc_port), free_port(args.http_port)
    for wanted, got, what in ((args.grpc_port, grpc_port, "gRPC"), (args.http_port, http_port, "HTTP")):
        if wanted not in {got, 0}:
            say(console, f"Port {wanted} is taken: {what} is on {got} instead.", style="yellow")
    try:
        with shown_stack(console, grpc_port=grpc_port, http_port=http_port) as stack:
            for line in guide(stack, args.sample_assessment, args.sample_funded_account):
                say(console, line)
            _stay(stack, console)
    except Interrupted:
        return 0  # Ctrl-C is how this ends
    return 0


def _stay(stack: Stack, console: Console) -> None:
    """Until a signal, or until a part ends on its own, which raises PartFailed."""
    say(console, "Ctrl-C stops everything.", style="bold")
    forever = Event()
    while not forever.wait(_CHECK_S):
        stack.check()


def guide(stack: Stack, assessment_id: str, account_id: str) -> list[str]:
    """Commands to copy, with this stack's addresses."""
    grpc, http = stack.grpc_target, stack.http_url
    call = "grpcurl -plaintext"
    body = f'{{"subject": {{"funded_account_id": "{account_id}"}}, "settings": {{"paths": 1000000}}}}'
    return [
        "",
        "# The service's own command (.venv/bin/mcsvc)",
        f"export MCSVC_SERVER={grpc} KAFKA_BROKERS={stack.environment['KAFKA_BROKERS']}",
        f"mcsvc trigger --funded-account {account_id} --paths 1000000 --watch",
        f"mcsvc publish-assessment {assessment_id}",
        "mcsvc list",
        "",
        "# gRPC; ID is the id that Trigger answers",
        f"{call} {grpc} list",
        f"{call} -d '{body}' {grpc} {_SERVICE}/TriggerSimulation",
        f"{call} -d '{{\"id\": \"'$ID'\"}}' {grpc} {_SERVICE}/GetSimulation",
        f"{call} -d '{{\"id\": \"'$ID'\"}}' {grpc} {_SERVICE}/WatchSimulation",
        f"{call} -d '{{\"id\": \"'$ID'\"}}' {grpc} {_SERVICE}/CancelSimulation",
        f'{call} -d \'{{"filter": "state = SUCCEEDED"}}\' {grpc} {_SERVICE}/ListSimulations',
        f"{call} {grpc} grpc.health.v1.Health/Check",
        "",
        "# HTTP",
        f"curl {http}/health",
        f"curl {http}/ready",
        f"curl -X POST -H 'content-type: application/json' -d '{body}' {http}/simulations",
        f"curl {http}/simulations/$ID",
        f"curl '{http}/simulations?page_size=5'",
        f"curl {http}/metrics",
        "",
        f"# Logs: {stack.run.directory}/*.log",
        "",
    ]
