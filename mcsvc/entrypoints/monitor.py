"""Asks the dependencies in the background how they are, so that readiness and health answer at once.

The service is ready while the database answers: it can then take jobs and keep them. Kafka, the engine and the Core
Service being away only delays jobs, and the cache being away only slows reads: those are reported as degraded.

A ping may take for ever. A dependency whose ping has not ended in time counts as down and is not asked again before
that ping ends: there is never more than one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from threading import Lock
from typing import final

from mcsvc.background import begin
from mcsvc.observability.logs import get_logger
from mcsvc.observability.metrics import Metrics

_log = get_logger(__name__)
_NOT_ASKED = "not asked yet"
_ANSWER_WITHIN = timedelta(seconds=10)  # longer than pings take to say by themselves what is wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """`ping` raises unless the dependency answers; without a `required` one the service is not ready."""

    name: str
    ping: Callable[[], None]
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How one dependency was when it was last asked; `detail` says why it is down."""

    up: bool
    required: bool
    detail: str = ""


@final
class Monitor:
    """See the module."""

    def __init__(
        self, dependencies: Sequence[Dependency], metrics: Metrics, *, answer_within: timedelta = _ANSWER_WITHIN
    ) -> None:
        self._dependencies = dependencies
        self._metrics = metrics
        self._answer_within_s = answer_within.total_seconds()
        self._asked: dict[str, Future[Health]] = {}
        self._listeners: list[Callable[[bool], None]] = []
        self._looking = Lock()
        self._lock = Lock()
        self._draining = False
        self._health = {each.name: Health(up=False, required=each.required, detail=_NOT_ASKED) for each in dependencies}

    def listen(self, on_change: Callable[[bool], None]) -> None:
        """Be told of readiness after every look and at the start of draining."""
        self._listeners.append(on_change)

    def run_once(self) -> None:
        """Ask all dependencies, at the same time. One look at a time: a second one begins when the first is over."""
        with self._looking:
            self._look()

    def drain(self) -> None:
        """Not ready from now on: the process is about to end."""
        with self._lock:
            self._draining = True
        self._announce()

    def ready(self) -> bool:
        """True if calls should be sent here."""
        with self._lock:
            return not self._draining and all(each.up for each in self._health.values() if each.required)

    def health(self) -> Mapping[str, Health]:
        """How each dependency was when it was last asked."""
        with self._lock:
            return dict(self._health)

    def _look(self) -> None:
        for each in self._dependencies:
            if each.name not in self._asked:
                self._asked[each.name] = begin(partial(_ask, each), name=f"monitor-{each.name}")
        wait(self._asked.values(), timeout=self._answer_within_s)
        found = {each.name: self._found(each) for each in self._dependencies}
        with self._lock:
            before, self._health = self._health, found
        for name, health in found.items():
            self._metrics.dependency_up.set(int(health.up), {"dependency": name})
            if health.up != before[name].up or before[name].detail == _NOT_ASKED:
                tell = _log.info if health.up else _log.warning
                tell("dependency_up" if health.up else "dependency_down", dependency=name, detail=health.detail)
        self._announce()

    def _found(self, dependency: Dependency) -> Health:
        if self._asked[dependency.name].done():
            return self._asked.pop(dependency.name).result()
        detail = f"It has not answered within {self._answer_within_s:g} s."
        return Health(up=False, required=dependency.required, detail=detail)

    def _announce(self) -> None:
        ready = self.ready()
        for listener in self._listeners:
            listener(ready)


def _ask(dependency: Dependency) -> Health:
    try:
        dependency.ping()
    except Exception as error:  # noqa: BLE001 — whatever a ping raises means that the dependency is down
        return Health(up=False, required=dependency.required, detail=str(error) or type(error).__name__)
    return Health(up=True, required=dependency.required)
