"""The running service: what starts in which order, and how it ends.

Servers first, so that probes are answered while the database is waited for; then what makes and runs jobs. The end
goes the other way: not ready, no new work, runs finished or handed back, events sent, offsets committed, then closed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Thread

from mcsvc.domain.errors import Retryable
from mcsvc.entrypoints.grpc.server import GrpcServer
from mcsvc.entrypoints.http.server import HttpServer
from mcsvc.entrypoints.kafka_consumer import AssessmentConsumer
from mcsvc.entrypoints.loop import Loop
from mcsvc.entrypoints.monitor import Monitor
from mcsvc.entrypoints.scheduler import SweepScheduler
from mcsvc.entrypoints.worker import WorkerPool
from mcsvc.observability.logs import get_logger
from mcsvc.ports.clock import Clock

_log = get_logger(__name__)
_POLL = timedelta(milliseconds=500)
_CONSUMER_GAP = timedelta(milliseconds=20)
_DATABASE_RETRY_S = 0.5
_GRPC_GRACE = timedelta(seconds=5)
_JOIN = timedelta(seconds=10)


class NotStarted(Exception):
    """The service could not begin its work in time. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """`prepare` makes the database ready or raises Retryable; it is tried again for `startup_timeout`."""

    prepare: Callable[[], None]
    startup_timeout: timedelta
    monitor_interval: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a service consists of."""

    monitor: Monitor
    grpc: GrpcServer
    http: HttpServer
    worker: WorkerPool
    consumer: AssessmentConsumer
    scheduler: SweepScheduler
    clock: Clock


class Service:
    """See the module. Started once, stopped once."""

    def __init__(self, parts: Parts, settings: ServiceSettings) -> None:
        self._parts = parts
        self._settings = settings
        self._watching = Loop("monitor", self._look, every=settings.monitor_interval)
        self._consuming = Loop("consumer", lambda: parts.consumer.run_once(wait=_POLL), every=_CONSUMER_GAP)
        self._working = False
        parts.monitor.listen(lambda ready: parts.grpc.set_ready(ready=ready))

    def run(self, stop: Event) -> None:
        """Serve until `stop` is set. Raises NotStarted."""
        try:
            self._start(stop)
            stop.wait()
        finally:
            self._stop()

    def _start(self, stop: Event) -> None:
        parts = self._parts
        parts.grpc.start()
        parts.http.start()
        _log.info("servers_started", grpc_port=parts.grpc.port, http_port=parts.http.port)
        self._watching.start()
        if not self._database_ready(stop):
            return
        self._working = True
        parts.worker.start()
        self._consuming.start()
        parts.scheduler.start()
        parts.monitor.run_once()
        _log.info("service_started", grpc_port=parts.grpc.port, http_port=parts.http.port)

    def _database_ready(self, stop: Event) -> bool:
        """True once the database can be used, False if `stop` was set before. Raises NotStarted."""
        clock = self._parts.clock
        give_up_at = clock.monotonic() + self._settings.startup_timeout.total_seconds()
        while not stop.is_set():
            try:
                self._settings.prepare()
            except Retryable as error:
                if clock.monotonic() >= give_up_at:
                    waited_s = self._settings.startup_timeout.total_seconds()
                    raise NotStarted(f"The database was not usable within {waited_s:g} s: {error}") from error
                _log.warning(
                    "database_awaited", error=str(error), seconds_left=round(give_up_at - clock.monotonic(), 1)
                )
                stop.wait(_DATABASE_RETRY_S)
            else:
                return True
        return False

    def _look(self) -> bool:
        self._parts.monitor.run_once()
        return False

    def _stop(self) -> None:
        _log.info("service_stopping")
        parts = self._parts
        parts.monitor.drain()
        parts.scheduler.ask_to_stop()
        _together(self._stop_consumer, self._stop_worker, self._stop_grpc)
        self._watching.stop(within=_JOIN)
        parts.http.ask_to_stop()
        parts.http.join(_JOIN)
        _log.info("service_stopped")

    def _stop_consumer(self) -> None:
        """Closing the consumer commits what is done; a reader that does not end is left, and its offsets with it."""
        if self._consuming.stop(within=_JOIN):
            self._parts.consumer.close()
        else:
            _log.warning(
                "consumer_left_behind", remedy="Its last messages are read again; their keys make that harmless."
            )

    def _stop_worker(self) -> None:
        if self._working:
            self._parts.worker.stop()

    def _stop_grpc(self) -> None:
        self._parts.grpc.stop(_GRPC_GRACE).wait((_GRPC_GRACE + _JOIN).total_seconds())
        self._parts.grpc.close()


def _together(*steps: Callable[[], None]) -> None:
    """All steps at the same time; returns when all are done."""
    threads = [Thread(target=step, name=f"stop-{step.__name__}", daemon=True) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
