"""Fires the sweep of the funded accounts by cron, in a time zone.

Every replica fires; the jobs' keys (schedule, account, the time that was due) make one job of them. So nothing is
shared between replicas and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import final
from zoneinfo import ZoneInfo

from apscheduler.schedulers.background import BackgroundScheduler

from mcsvc.app.sweep_funded_accounts import SweepReport
from mcsvc.cron import GRACE, cron_trigger, due_time
from mcsvc.domain.errors import Retryable
from mcsvc.observability.logs import get_logger
from mcsvc.observability.metrics import Metrics
from mcsvc.ports.clock import Clock

_log = get_logger(__name__)
_TRIES = 10
_RETRY_BASE = timedelta(seconds=5)
_RETRY_CAP = timedelta(minutes=5)


@final
class SweepScheduler:
    """See the module."""

    def __init__(
        self, sweep: Callable[[datetime], SweepReport], clock: Clock, metrics: Metrics, *, cron: str, zone: ZoneInfo
    ) -> None:
        self._sweep = sweep
        self._clock = clock
        self._metrics = metrics
        self._zone = zone
        self._stopping = Event()
        self._sweeping: Thread | None = None
        self._trigger = cron_trigger(cron, zone)
        self._scheduler = BackgroundScheduler(timezone=zone)
        self._scheduler.add_job(
            self._fire,
            self._trigger,
            id="funded-accounts",
            coalesce=True,
            misfire_grace_time=int(GRACE.total_seconds()),
        )

    def start(self) -> None:
        """Begin to watch the clock."""
        self._scheduler.start()
        job = self._scheduler.get_job("funded-accounts")
        _log.info("schedule_started", next_sweep=str(job.next_run_time))

    def _fire(self) -> None:
        """Sweep on a thread that holds up neither the schedule nor the end of the process."""
        if self._sweeping is None or not self._sweeping.is_alive():
            self._sweeping = Thread(target=self.run_once, name="sweep", daemon=True)
            self._sweeping.start()

    def run_once(self) -> SweepReport | None:
        """Sweep for the time due now, again and again while a dependency is away. None if it was given up."""
        due = due_time(self._trigger, self._clock.now(), self._zone)
        told = due.isoformat(timespec="minutes")
        for tries in range(1, _TRIES + 1):
            try:
                report = self._sweep(due)
            except Retryable as error:
                delay = min(_RETRY_BASE * 2 ** (tries - 1), _RETRY_CAP)
                _log.warning(
                    "sweep_interrupted", due=told, tries=tries, error=str(error), retry_s=delay.total_seconds()
                )
                if self._stopping.wait(delay.total_seconds()):
                    return None
            else:
                self._metrics.jobs_triggered.add(report.triggered, {"trigger": "schedule"})
                _log.info("sweep_done", due=told, seen=report.seen, triggered=report.triggered, skipped=report.skipped)
                return report
        _log.error("sweep_given_up", due=told, remedy="The next sweep takes the accounts that were left out.")
        return None

    def ask_to_stop(self) -> None:
        """Fire no more, and give up a sweep that waits to be tried again."""
        self._stopping.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
