"""Sweeps the funded accounts at the times of a crontab line, in a time zone.

What is owed is the sweep for the latest time that was due. It is tried until it goes well, the next time is due, or it
is older than the patience; after a start too, so that a service that was down at the time makes up for it. Every
replica does this. The jobs' keys (schedule, account, the time that was due) make one job of them, and a time already
swept costs its list of accounts only. So nothing is shared between replicas and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import final
from zoneinfo import ZoneInfo

from mcsvc.app.sweep_funded_accounts import SweepHalted, SweepReport
from mcsvc.cron import cron_trigger, latest_due, next_due
from mcsvc.domain.errors import McsvcError, Retryable
from mcsvc.entrypoints.loop import Loop
from mcsvc.observability.logs import get_logger
from mcsvc.observability.metrics import Metrics
from mcsvc.ports.clock import Clock

_log = get_logger(__name__)
_LOOK_EVERY = timedelta(seconds=1)
_LEAST_PATIENCE = timedelta(hours=1)
_RETRY_BASE = timedelta(seconds=5)
_RETRY_CAP = timedelta(minutes=5)
_DOUBLINGS = 10  # far beyond the cap


@dataclass(slots=True, kw_only=True)
class _Owed:
    """The sweep for one time that was due, and when to try it next."""

    due: datetime
    retry_at: datetime
    tries: int = 0

    def __str__(self) -> str:
        return self.due.isoformat(timespec="minutes")


@final
class SweepScheduler:
    """See the module."""

    def __init__(
        self,
        sweep: Callable[[datetime, Event], SweepReport],
        clock: Clock,
        metrics: Metrics,
        *,
        cron: str,
        zone: ZoneInfo,
        patience: timedelta,
    ) -> None:
        self._sweep = sweep
        self._clock = clock
        self._metrics = metrics
        self._patience = max(patience, _LEAST_PATIENCE)
        self._trigger = cron_trigger(cron, zone)
        self._next = datetime.min.replace(tzinfo=UTC)
        self._owed: _Owed | None = None
        self._halt = Event()
        self._loop = Loop("sweep", self.run_once, every=_LOOK_EVERY)

    def start(self) -> None:
        """Begin to watch the clock, on a thread that the end of the process does not wait for."""
        self._loop.start()

    def run_once(self) -> bool:
        """Try the sweep that is owed now, if one is. False: there is nothing more to do at once."""
        now = self._clock.now()
        if now >= self._next:
            self._take_up(now)
        if self._owed is not None and now >= self._owed.due + self._patience:
            self._give_up(self._owed, why="it has been tried for long enough")
        if self._owed is not None and now >= self._owed.retry_at:
            self._try(self._owed)
        return False

    def ask_to_stop(self) -> None:
        """Begin no sweep, and end one under way after its page."""
        self._halt.set()
        self._loop.ask_to_stop()

    def _take_up(self, now: datetime) -> None:
        if self._owed is not None:
            self._give_up(self._owed, why="the next one is due")
        due = latest_due(self._trigger, now, within=self._patience)
        self._owed = None if due is None else _Owed(due=due, retry_at=now)
        self._next = next_due(self._trigger, now)
        _log.info("sweep_scheduled", owed="" if self._owed is None else str(self._owed), next_sweep=str(self._next))

    def _try(self, owed: _Owed) -> None:
        owed.tries += 1
        try:
            report = self._sweep(owed.due, self._halt)
        except SweepHalted:
            return
        except Exception as error:  # noqa: BLE001 — whatever it is may pass: the night must not be lost
            self._put_off(owed, error)
        else:
            self._owed = None
            self._record(owed, report)

    def _put_off(self, owed: _Owed, error: Exception) -> None:
        delay = min(_RETRY_BASE * 2 ** min(owed.tries - 1, _DOUBLINGS), _RETRY_CAP)
        asked = error.retry_after if isinstance(error, Retryable) else None
        delay = max(delay, asked or delay)
        owed.retry_at = self._clock.now() + delay
        tell = _log.warning if isinstance(error, McsvcError) else _log.exception
        tell("sweep_interrupted", due=str(owed), tries=owed.tries, error=str(error), retry_s=delay.total_seconds())

    def _give_up(self, owed: _Owed, *, why: str) -> None:
        self._owed = None
        remedy = "The next sweep takes the accounts that were left out."
        _log.error("sweep_given_up", due=str(owed), tries=owed.tries, why=why, remedy=remedy)

    def _record(self, owed: _Owed, report: SweepReport) -> None:
        counts = {"triggered": report.triggered, "skipped": report.skipped, "refused": report.refused}
        for outcome, count in counts.items():
            self._metrics.sweep_accounts.add(count, {"outcome": outcome})
        self._metrics.jobs_triggered.add(report.triggered, {"trigger": "schedule"})
        self._metrics.sweep_last_success.set(self._clock.now().timestamp())
        _log.info("sweep_done", due=str(owed), seen=report.seen, **counts)
