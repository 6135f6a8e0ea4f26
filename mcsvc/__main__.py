"""The command `mcsvc`: arguments only. `serve` and `migrate` are the service's own; the other verbs are in `cli`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from threading import Event

from mcsvc import cli
from mcsvc.stop_signals import set_on_signal
from riskio.commands import USAGE, framed


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb; the exit code."""
    return framed(lambda: _run(argv), prefix="error")


def _run(argv: Sequence[str] | None) -> int:
    arguments = _parser().parse_args(argv)
    from mcsvc.config import ConfigError  # noqa: PLC0415 — here, Ctrl-C during an import is told in a line

    try:
        return int(arguments.run(arguments))
    except ConfigError as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="mcsvc", description="The Monte Carlo risk service and its tools.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    serve = verbs.add_parser("serve", help="run the service, configured by the environment")
    serve.add_argument("--migrate", action="store_true", help="bring the database schema up to date first")
    serve.set_defaults(run=_serve)
    verbs.add_parser("migrate", help="bring the database schema up to date").set_defaults(run=_migrate)
    cli.register(verbs)
    return parser


def _serve(arguments: Namespace) -> int:
    stop = Event()
    set_on_signal(stop)  # before an import of seconds: until then the first process of a container hears no SIGTERM
    from mcsvc import serving  # noqa: PLC0415 — only these two verbs need the whole service imported

    return serving.serve(stop, migrating=arguments.migrate)


def _migrate(_arguments: Namespace) -> int:
    from mcsvc import serving  # noqa: PLC0415 — only these two verbs need the whole service imported

    return serving.bring_up_to_date()


if __name__ == "__main__":
    sys.exit(main())
