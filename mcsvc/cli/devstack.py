"""`mcsvc devstack`: the whole system on this machine, until Ctrl-C, with commands to copy."""

from __future__ import annotations

from argparse import Namespace
from threading import Event

from rich.console import Console

from mcsvc.cli import render
from mcsvc.cli.guide import guide
from mcsvc.cli.running import Interrupted
from mcsvc.cli.stack_view import say, shown_stack
from mcsvc.devstack.ports import free_port
from mcsvc.devstack.stack import Stack

_CHECK_S = 0.5


def run(args: Namespace) -> int:
    """Start, tell how to use it, stay."""
    console = render.live()
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
