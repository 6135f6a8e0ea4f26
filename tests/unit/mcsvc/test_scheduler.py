"""The daily sweep: crontab weekdays, the time that is due, and patience with a dependency that is away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from zoneinfo import ZoneInfo

import pytest

from mcsvc.adapters.memory.clock import ManualClock
from mcsvc.app.sweep_funded_accounts import SweepReport
from mcsvc.cron import cron_trigger, due_time
from mcsvc.domain.errors import CoreServiceUnavailable
from mcsvc.entrypoints import scheduler
from mcsvc.entrypoints.scheduler import SweepScheduler
from tests.mcsvc_harness import WAIT_S, Recorder

PRAGUE = ZoneInfo("Europe/Prague")
DONE = SweepReport(seen=3, triggered=2, skipped=1)


@pytest.mark.parametrize(
    ("weekdays", "expected"),
    [("0", {6}), ("7", {6}), ("1-5", {0, 1, 2, 3, 4}), ("0-6/2", {6, 1, 3, 5}), ("sat,0", {5, 6}), ("5-7", {4, 5, 6})],
)
def test_weekdays_count_from_sunday_as_in_a_crontab(weekdays: str, expected: set[int]) -> None:
    trigger = cron_trigger(f"0 2 * * {weekdays}", ZoneInfo("UTC"))
    time = datetime(2026, 1, 1, tzinfo=UTC)
    fired: set[int] = set()
    for _ in range(14):
        time = trigger.get_next_fire_time(None, time + timedelta(minutes=1))
        fired.add(time.weekday())
    assert fired == expected


@pytest.mark.parametrize("bad", ["0 2 * *", "0 2 * * 5-2", "x 2 * * *", "0 25 * * *", "0 0 31 2 *"])
def test_a_bad_crontab_line_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        cron_trigger(bad, ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2026, 1, 1, 23, 30, tzinfo=UTC), "2026-01-02T00:15"),
        (datetime(2026, 1, 1, 23, 10, tzinfo=UTC), "2026-01-02T00:00"),  # nothing due within the hour: today there
        (datetime(2026, 1, 1, 22, 59, tzinfo=UTC), "2026-01-01T00:00"),
    ],
)
def test_the_time_due_is_that_of_the_crons_zone(now: datetime, expected: str) -> None:
    due = due_time(cron_trigger("15 0 * * *", PRAGUE), now, PRAGUE)
    assert due.isoformat(timespec="minutes") == f"{expected}+01:00"


def test_a_late_firing_is_for_the_latest_time_it_was_due_at() -> None:
    now = datetime(2026, 1, 1, 23, 20, tzinfo=UTC)
    assert due_time(cron_trigger("50 23 * * *", PRAGUE), now, PRAGUE) == datetime(2026, 1, 1, 22, 50, tzinfo=UTC)
    assert due_time(cron_trigger("*/25 * * * *", PRAGUE), now, PRAGUE) == datetime(2026, 1, 1, 23, tzinfo=UTC)


def test_the_schedule_fires_by_itself() -> None:
    swept: list[datetime] = []
    fired = Event()

    def sweep(due: datetime) -> SweepReport:
        swept.append(due)
        fired.set()
        return DONE

    clock = ManualClock()
    schedule = SweepScheduler(sweep, clock, Recorder().metrics, cron="* * * * *", zone=PRAGUE)
    schedule.start()
    schedule._scheduler.get_job("funded-accounts").modify(next_run_time=datetime.now(UTC))
    assert fired.wait(WAIT_S)
    schedule.ask_to_stop()
    assert swept == [clock.now()]


def test_a_sweep_goes_on_when_the_core_service_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_RETRY_BASE", timedelta(milliseconds=1))
    recorder = Recorder()
    asked: list[datetime] = []

    def sweep(due: datetime) -> SweepReport:
        asked.append(due)
        if len(asked) < 3:
            raise CoreServiceUnavailable("away")
        return DONE

    schedule = SweepScheduler(sweep, ManualClock(), recorder.metrics, cron="0 2 * * *", zone=PRAGUE)
    assert schedule.run_once() == DONE
    assert asked == [asked[0]] * 3
    assert recorder.counts("mcsvc.jobs.triggered") == {"schedule": 2}


def test_a_stop_ends_a_sweep_that_waits() -> None:
    tried = Event()

    def sweep(_: datetime) -> SweepReport:
        tried.set()
        raise CoreServiceUnavailable("away")

    schedule = SweepScheduler(sweep, ManualClock(), Recorder().metrics, cron="0 2 * * *", zone=PRAGUE)
    thread = Thread(target=schedule.run_once)
    thread.start()
    assert tried.wait(WAIT_S)
    schedule.ask_to_stop()
    thread.join(WAIT_S)
    assert not thread.is_alive()
