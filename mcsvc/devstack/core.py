"""The sample Core Service as a part of the stack: the firm's system of record, over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field

from mcsvc.devstack.parts import Environment
from mcsvc.devstack.ports import LOOPBACK, answers, free_port
from mcsvc.devstack.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleCoreService:
    """See the module."""

    name: str = "core-service"
    title: str = "Core Service (sample)"
    needs: tuple[str, ...] = ()
    timeout_s: float = 40
    port: int = field(default_factory=free_port)

    def start(self, run: Run, given: Environment) -> Environment:
        """Start it and wait until it listens."""
        del given
        child = run.spawn_module(self.name, "mcsvc.devstack.core_service", "--port", str(self.port))
        child.wait_ready(lambda: answers(self.port), timeout_s=self.timeout_s, stop=run.stop)
        return {"CORE_SERVICE_URL": f"http://{LOOPBACK}:{self.port}"}
