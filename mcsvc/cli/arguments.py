"""The arguments of every verb."""

from __future__ import annotations

import os
import shlex
from argparse import ArgumentParser
from pathlib import Path

from riskio import options
from riskio.trades_csv import COLUMNS

SAMPLE_ASSESSMENT = "asm-lucky-001"
SAMPLE_FUNDED_ACCOUNT = "acc-trend-001"
MODELS = ("stationary", "circular", "day", "iid", "normal", "student-t")
_COUNT = options.whole(0, 2**31 - 1)
_PATHS = options.whole(0, 2**63 - 1)
_SEED = options.whole(0, 2**64 - 1)


def demo(parser: ArgumentParser) -> None:
    """Which accounts the demo simulates, and how thoroughly."""
    parser.add_argument("--assessment", default=SAMPLE_ASSESSMENT, metavar="ID", help="default: %(default)s")
    parser.add_argument("--funded-account", default=SAMPLE_FUNDED_ACCOUNT, metavar="ID", help="default: %(default)s")
    parser.add_argument("--paths", type=_PATHS, default=2_000_000, help="of the funded account; default: 2000000")


def devstack(parser: ArgumentParser) -> None:
    """On which ports the service listens."""
    parser.add_argument("--grpc-port", type=int, default=_number("GRPC_PORT", 50051), help="default: %(default)s")
    parser.add_argument("--http-port", type=int, default=_number("PORT", 3002), help="default: %(default)s")
    parser.add_argument("--sample-assessment", default=SAMPLE_ASSESSMENT, metavar="ID", help="named in the commands")
    parser.add_argument("--sample-funded-account", default=SAMPLE_FUNDED_ACCOUNT, metavar="ID", help="likewise")


def trigger(parser: ArgumentParser) -> None:
    """What to simulate and how."""
    _server(parser)
    subject = parser.add_argument_group("what is simulated: one of")
    subject.add_argument("--assessment", metavar="ID", help="an assessment in the Core Service")
    subject.add_argument("--funded-account", metavar="ID", help="a funded account in the Core Service")
    subject.add_argument("--trades", type=Path, metavar="CSV", help=f"trades in a file, with --rules: {COLUMNS}")
    subject.add_argument("--rules", type=Path, metavar="YAML", help="account rules in a file, with --trades")
    settings = parser.add_argument_group("how; what is left out is the server's choice")
    settings.add_argument("--paths", type=_PATHS, default=0, help="simulated futures")
    settings.add_argument("--horizon-days", type=_COUNT, default=0, help="trading days of each")
    settings.add_argument("--model", choices=MODELS, help="how futures are drawn from the history")
    settings.add_argument("--trades-per-day", type=_COUNT, default=0, help="default: as in the history")
    settings.add_argument(
        "--block-length", type=float, default=0.0, help="mean block of the stationary model, in trades"
    )
    settings.add_argument("--seed", type=_SEED, help="of the random numbers")
    options.add(parser.add_argument_group("how far to go, and how sure to be"))
    parser.add_argument("--request-id", default="", metavar="ID", help="makes the call safe to repeat")
    parser.add_argument("--watch", action="store_true", help="follow the simulation and print its report")


def one(parser: ArgumentParser) -> None:
    """Which simulation."""
    _server(parser)
    parser.add_argument("id", metavar="ID", help="id of the simulation")


def listing(parser: ArgumentParser) -> None:
    """Which simulations."""
    _server(parser)
    parser.add_argument("--filter", default="", metavar="TEXT", help="e.g. 'state = FAILED AND trigger = SCHEDULE'")
    parser.add_argument("--page-size", type=_COUNT, default=0, metavar="N", help="at most this many; default: 50")
    parser.add_argument("--page-token", default="", metavar="TOKEN", help="of the page before")
    parser.add_argument("--all", action="store_true", help="every page, one after the other")


def publish(parser: ArgumentParser) -> None:
    """Which event, and to which brokers."""
    parser.add_argument("assessment", metavar="ASSESSMENT", help="id of the assessment in the Core Service")
    parser.add_argument("--outcome", default="PASSED", help="how it ended; only PASSED is simulated")
    parser.add_argument("--event-id", default="", metavar="ID", help="default: a new one")
    brokers = os.environ.get("KAFKA_BROKERS", "localhost:9092")
    parser.add_argument("--brokers", default=brokers, metavar="HOST:PORT,…", help="default: %(default)s")


def again(words: str, server: str) -> str:
    """A command of `mcsvc` to copy; it names the server, unless it is the one that is called anyway."""
    return f"mcsvc {words}" if server == _server_called() else f"mcsvc {words} --server {shlex.quote(server)}"


def _server(parser: ArgumentParser) -> None:
    default = _server_called()
    parser.add_argument("--server", default=default, metavar="HOST:PORT", help="default: MCSVC_SERVER or %(default)s")
    parser.add_argument("--output", choices=("text", "json"), default="text", help="default: %(default)s")


def _server_called() -> str:
    """The one that is called where none is named."""
    return os.environ.get("MCSVC_SERVER", "localhost:50051")


def _number(variable: str, default: int) -> int:
    value = os.environ.get(variable, "")
    return int(value) if value.isdigit() else default
