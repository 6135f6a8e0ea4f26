"""The running service: what starts in which order, and how it ends.

Servers first, so that probes are answered while the database is waited for; then what makes and runs jobs. The end
goes the other way: not ready, no new work, runs finished or handed back, events sent, offsets committed, then closed.
Each stage of the end has its share of one countdown; what has not ended by then is left behind (`mcsvc/ending.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Event

from mcsvc.domain.errors import Retryable
from mcsvc.ending import Countdown, together, unless
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
_WORK_OVER, _SERVERS_DOWN = 0.8, 0.9  # of the time a stop may take: when each stage is to be over
_CALLS_OVER = 0.25  # the same for the gRPC calls under way


class NotStarted(Exception):
    """The service could not begin its work in time. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """`prepare` makes the database ready or raises Retryable; it is tried again for `startup_timeout`.

    `ending` is the time a stop may take; it starts with the stop.
    """

    prepare: Callable[[], None]
    startup_timeout: timedelta
    ending: Countdown
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
        self._ending = settings.ending
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
        if unless(stop, parts.monitor.run_once):
            _log.info("service_started", grpc_port=parts.grpc.port, http_port=parts.http.port)

    def _database_ready(self, stop: Event) -> bool:
        """True once the database can be used, False if `stop` was set before. Raises NotStarted."""
        clock = self._parts.clock
        give_up_at = clock.monotonic() + self._settings.startup_timeout.total_seconds()
        while not stop.is_set():
            try:
                return unless(stop, self._settings.prepare)
            except Retryable as error:
                if clock.monotonic() >= give_up_at:
                    waited_s = self._settings.startup_timeout.total_seconds()
                    raise NotStarted(f"The database was not usable within {waited_s:g} s: {error}") from error
                _log.warning(
                    "database_awaited", error=str(error), seconds_left=round(give_up_at - clock.monotonic(), 1)
                )
                stop.wait(_DATABASE_RETRY_S)
        return False

    def _look(self) -> bool:
        self._parts.monitor.run_once()
        return False

    def _stop(self) -> None:
        parts, ending = self._parts, self._ending.start()
        _log.info("service_stopping")
        parts.monitor.drain()
        self._watching.ask_to_stop()  # and nobody waits for it: a ping may take longer than all the rest
        work = {
            "scheduler": parts.scheduler.ask_to_stop,
            "consumer": self._stop_consumer,
            "worker": self._stop_worker,
            "grpc": self._stop_grpc,
        }
        together(work, within=ending.left(until=_WORK_OVER))
        together({"http": self._stop_http}, within=ending.left(until=_SERVERS_DOWN))
        _log.info("service_stopped")

    def _stop_consumer(self) -> None:
        """Closing the consumer commits what is done.

        It waits for a broker that is away, and for a rebalance to be over. A consumer that does not end in time is left
        behind, and its offsets with it: its last messages are read again, and their keys make that harmless.
        """
        if self._consuming.stop(within=self._ending.left(until=_WORK_OVER)):
            self._parts.consumer.close()

    def _stop_worker(self) -> None:
        if self._working:
            self._parts.worker.stop()

    def _stop_grpc(self) -> None:
        grace = self._ending.left(until=_CALLS_OVER)
        self._parts.grpc.stop(grace).wait(self._ending.left(until=_WORK_OVER).total_seconds())
        self._parts.grpc.close()

    def _stop_http(self) -> None:
        self._parts.http.ask_to_stop()
        self._parts.http.join(self._ending.left(until=_SERVERS_DOWN))
