"""`python -m simulator.serve`: serves the simulator on a Ray of its own, or on one it joins, until told to stop."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

from simulator.serve.settings import Settings

if TYPE_CHECKING:
    from simulator.serve.cluster import Cluster

LOOKS_S: Final = 0.5
"""How long a signal may go unheard."""


def main(argv: Sequence[str] | None = None, *, meanwhile: Callable[[Cluster], None] | None = None) -> None:
    """Serves until SIGTERM or SIGINT, or until `meanwhile` returns. Ends with the exit code 0."""
    options = parse(argv)
    prepare_environment()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _stop)
    from simulator.serve.cluster import CannotDeploy, Cluster, Place  # noqa: PLC0415 — ray reads the environment when imported

    place = Place(
        application=options.name,
        port=options.port,
        http_port=options.http_port,
        address=options.address,
        num_cpus=options.num_cpus or options.workers * options.worker_cpus,
    )
    cluster = Cluster(place)
    try:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, _stop)  # again: ray sets its own
        cluster.deploy(settings_of(options))
        tell_ready(cluster, options.ready_file)
        (meanwhile or wait_for_ever)(cluster)
    except CannotDeploy as error:
        sys.exit(f"error: {error}")
    finally:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        cluster.close()


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m simulator.serve", description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=9000, help="gRPC port; 0: a free one")
    add("--http-port", type=int, default=0, help="port of Ray Serve's HTTP proxy, which cannot be off; 0: a free one")
    add("--workers", type=int, default=1, help="worker processes")
    add("--worker-cpus", type=int, default=1, help="cores, and threads, of a worker")
    add("--worker-gpus", type=float, default=0, help="GPUs of a worker; a part of one, if workers share it")
    add("--num-cpus", type=int, default=0, help="cores Ray may give to workers; 0: as many as the workers need")
    add("--max-simulations", type=int, default=32, help="more at a time are refused")
    add("--checkpoint-s", type=float, default=3, help="seconds from one checkpoint to the next, at the least")
    add("--compile-cache", default="", metavar="DIR", help="keeps compilations from one start to the next")
    add("--ready-file", type=Path, metavar="PATH", help="written, as JSON, once a simulation has gone through")
    add("--address", default="", help="joins the Ray cluster at this address instead of starting one")
    add("--name", default="simulator", help="name of the application")
    return parser.parse_args(argv)


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings of a fixed number of workers."""
    cache = str(Path(options.compile_cache).resolve()) if options.compile_cache else ""
    return Settings(
        min_workers=options.workers,
        max_workers=options.workers,
        worker_cpus=options.worker_cpus,
        worker_gpus=options.worker_gpus,
        max_simulations=options.max_simulations,
        checkpoint_s=options.checkpoint_s,
        compile_cache=cache,
    )


def prepare_environment() -> None:
    """What Ray and its processes read: no usage reports, no log lines on our stderr, patience with a machine that is
    busy, and a token of this cluster's own.

    Without one, Ray would write a token to the home folder and turn its authentication on by that.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_SERVE_LOG_TO_STDERR", "0")
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")
    if "RAY_AUTH_MODE" not in os.environ:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def tell_ready(cluster: Cluster, ready_file: Path | None) -> None:
    """One line on stdout and, if asked, the same as a file."""
    ready = {"target": cluster.target, "application": cluster.place.application, "ray_address": cluster.address}
    line = json.dumps({"event": "simulator_ready", **ready, "pid": os.getpid()})
    if ready_file is not None:
        partial = ready_file.with_name(f"{ready_file.name}.partial")
        partial.write_text(f"{line}\n", encoding="utf-8")
        partial.replace(ready_file)
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def wait_for_ever(_: Cluster) -> None:
    """Until a signal. One that another thread took wakes nobody, so this thread looks up by itself."""
    never = threading.Event()
    while not never.wait(LOOKS_S):
        pass


def _stop(_signum: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
