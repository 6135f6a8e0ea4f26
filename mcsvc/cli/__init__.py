"""The verbs of `mcsvc` for people: the demo, the local stack, and a client of a running service.

A verb's module is imported only when it runs: the service's image has not what the stack needs.
"""

from __future__ import annotations

from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mcsvc.cli import arguments
from mcsvc.cli.running import run_verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One verb: `module` has `run(args) -> exit code`, `declare` its arguments."""

    name: str
    help: str
    module: str
    declare: Callable[[ArgumentParser], None]


VERBS = (
    Verb(
        name="demo",
        help="start everything, simulate an assessment and a funded account, print the reports, stop",
        module="mcsvc.cli.demo",
        declare=arguments.demo,
    ),
    Verb(
        name="devstack",
        help="start everything on this machine and stay up until Ctrl-C",
        module="mcsvc.cli.devstack",
        declare=arguments.devstack,
    ),
    Verb(name="trigger", help="ask for a simulation", module="mcsvc.cli.trigger", declare=arguments.trigger),
    Verb(name="get", help="show one simulation", module="mcsvc.cli.get", declare=arguments.one),
    Verb(name="list", help="list simulations, newest first", module="mcsvc.cli.listing", declare=arguments.listing),
    Verb(name="watch", help="follow a simulation until its end", module="mcsvc.cli.watch", declare=arguments.one),
    Verb(name="cancel", help="cancel a simulation", module="mcsvc.cli.cancel", declare=arguments.one),
    Verb(name="report", help="print the report of a simulation", module="mcsvc.cli.report", declare=arguments.one),
    Verb(
        name="publish-assessment",
        help="publish an assessment.completed event to Kafka",
        module="mcsvc.cli.publish",
        declare=arguments.publish,
    ),
)


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add every verb; each sets `run`, a function of the parsed arguments that returns the exit code."""
    for verb in VERBS:
        parser = subparsers.add_parser(
            verb.name, help=verb.help, description=verb.help[0].upper() + verb.help[1:] + "."
        )
        verb.declare(parser)
        parser.set_defaults(run=partial(run_verb, verb.module))
