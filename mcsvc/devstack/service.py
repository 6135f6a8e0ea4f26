"""The service itself as a part of the stack, configured for one machine and for people who watch."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from dataclasses import dataclass

from mcsvc.devstack.parts import Environment
from mcsvc.devstack.ports import LOOPBACK
from mcsvc.devstack.run import Run

_PACE = {
    "MCSVC_BIND_HOST": LOOPBACK,
    "MCSVC_MONITOR_INTERVAL_S": "0.5",
    "MCSVC_WATCH_POLL_S": "0.1",
    "MCSVC_WORKER_POLL_S": "0.1",
}
_SWEEP = "MCSVC_SWEEP_CRON"
_HARDLY_EVER = "0 0 29 2 *"  # else a demo in the hours after the nightly sweep would begin with one


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalService:
    """See the module. `engine_url` is where the engine will answer: the service need not wait for it to start."""

    grpc_port: int
    http_port: int
    engine_url: str
    needs: tuple[str, ...]
    name: str = "service"
    title: str = "Monte Carlo service"
    timeout_s: float = 150

    def start(self, run: Run, given: Environment) -> Environment:
        """Migrate, serve, and wait until it says that it and all it needs are ready."""
        own = {"GRPC_PORT": str(self.grpc_port), "PORT": str(self.http_port), "RAY_SERVE_URL": self.engine_url}
        env = {**_PACE, _SWEEP: os.environ.get(_SWEEP, _HARDLY_EVER), **given, **own}
        child = run.spawn_module(self.name, "mcsvc", "serve", "--migrate", env=env)
        child.wait_ready(self._ready, timeout_s=self.timeout_s, stop=run.stop)
        return own

    def _ready(self) -> bool:
        url = f"http://{LOOPBACK}:{self.http_port}/ready"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False
