"""The start of the stack on a console: a line for each part as it becomes ready, and what to read if one fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from mcsvc.cli.running import CliError, Interrupted
from mcsvc.devstack import catalogue, stack
from mcsvc.devstack.errors import PartFailed, StackError
from mcsvc.devstack.parts import Environment, Part
from mcsvc.devstack.stack import Ready, Stack


@contextmanager
def shown_stack(console: Console, *, grpc_port: int, http_port: int) -> Iterator[Stack]:
    """A running stack whose start and end are told. Raises CliError when it cannot start."""
    parts = catalogue.parts(grpc_port=grpc_port, http_port=http_port)
    say(console, f"Starting {len(parts)} parts", style="bold")
    if catalogue.lacks_redis(parts):
        say(console, catalogue.NO_REDIS, style="yellow")
    try:
        with console.status(_waiting_for(parts)) as status:
            show_ready = _announcer(console, parts, status.update)
            with stack.running(parts, show_ready) as running:
                status.stop()
                try:
                    yield running
                finally:
                    say(console, "\nStopping every part", style="dim")
    except (StackError, CliError) as error:
        if isinstance(error, PartFailed):
            _show_log(console, error)
        raise CliError(" ".join([str(error), *getattr(error, "__notes__", ())])) from None
    except Interrupted:
        say(console, "Interrupted. Every part is stopped.", style="yellow")
        raise


def say(console: Console, text: str, *, style: str = "") -> None:
    """A line as it is: no markup, no colours of rich's own, no folding, so that it can be copied."""
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def where(environment: Environment) -> str:
    """The address of a part, to show: without user and password."""
    match dict(environment):
        case {"GRPC_PORT": grpc, "PORT": http}:
            return f"gRPC on {grpc}, HTTP on {http}"
        case {"REDIS_HOST": host, "REDIS_PORT": port}:
            return f"{host}:{port}"
        case {"KAFKA_BROKERS": brokers}:
            return brokers
        case found:
            return next((value.rpartition("@")[2].partition("?")[0] for value in found.values()), "")


def _announcer(console: Console, parts: list[Part], update: Callable[[str], None]) -> Callable[[Ready], None]:
    missing = list(parts)

    def announce(ready: Ready) -> None:
        missing.remove(ready.part)
        update(_waiting_for(missing))
        address = where(ready.environment)
        start = f"{ready.part.title:<24}{ready.seconds:5.1f} s  "
        console.print(Text.assemble(("✓ ", "green"), start, (address, "dim")), soft_wrap=True)

    return announce


def _waiting_for(parts: list[Part]) -> str:
    return f"waiting for {', '.join(part.title for part in parts)}" if parts else "ready"


def _show_log(console: Console, error: PartFailed) -> None:
    title = f"{error.log.name}, its last lines"
    console.print(Panel(Text(error.tail or "(empty)"), title=title, title_align="left", border_style="red"))
