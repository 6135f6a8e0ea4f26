"""The simulator on a local Ray Serve, as a part of the stack: the slowest to start."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from mcsvc.devstack.errors import PartFailed
from mcsvc.devstack.parts import Environment
from mcsvc.devstack.ports import LOOPBACK, free_port
from mcsvc.devstack.run import Run

_MOST_WORKERS = 4

_RAY_IMPATIENT = "node timed out during startup"
"""Ray gives its own processes 30 s to start, whatever else the machine is doing: worth a second try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalEngine:
    """See the module. Few workers of a few cores: each costs memory and seconds of start-up."""

    name: str = "engine"
    title: str = "Simulator on Ray Serve"
    needs: tuple[str, ...] = ()
    timeout_s: float = 150
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        """Where it will answer, known before it does."""
        return f"grpc://{LOOPBACK}:{self.port}"

    def start(self, run: Run, given: Environment) -> Environment:
        """Start Ray and the simulator's app, and wait until a simulation has gone through it."""
        del given
        cores, ready = os.cpu_count() or 1, run.directory / "engine.ready"
        workers = min(cores, _MOST_WORKERS)
        options = {
            "--port": str(self.port),
            "--workers": str(workers),
            "--worker-cpus": str(cores // workers),
            "--compile-cache": str(compile_cache(run)),
            "--ready-file": str(ready),
        }
        words = [word for option in options.items() for word in option]
        try:
            self._start_once(run, words, ready)
        except PartFailed as error:
            if _RAY_IMPATIENT not in error.tail:
                raise
            self._start_once(run, words, ready)
        return {"RAY_SERVE_URL": self.url}

    def _start_once(self, run: Run, words: list[str], ready: Path) -> None:
        child = run.spawn_module(self.name, "simulator.serve", *words, env={"TMPDIR": str(run.folder("ray"))})
        child.wait_ready(ready.exists, timeout_s=self.timeout_s, stop=run.stop)


def compile_cache(run: Run) -> Path:
    """Where compilations are kept from one run to the next: the user's cache, or this run's directory without one."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    cache = home / "montecarlo-risk" / "jax"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        return run.folder("jax")
    return cache if os.access(cache, os.W_OK) else run.folder("jax")
