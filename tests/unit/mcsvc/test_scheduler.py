"""The daily sweep: crontab weekdays, the time that is due, and patience with whatever keeps it from going well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event
from zoneinfo import ZoneInfo

import pytest

from mcsvc.adapters.memory.clock import ManualClock
from mcsvc.app.sweep_funded_accounts import SweepHalted, SweepReport
from mcsvc.cron import cron_trigger, latest_due, next_due
from mcsvc.domain.errors import CoreServiceInvalid, CoreServiceUnavailable
from mcsvc.entrypoints.scheduler import SweepScheduler
from tests.mcsvc_harness import WAIT_S, Recorder

PRAGUE = ZoneInfo("Europe/Prague")
DONE = SweepReport(seen=4, triggered=2, skipped=1, refused=1)
SIX_HOURS = timedelta(hours=6)
TWO = datetime(2026, 1, 2, 2, tzinfo=UTC)


class Night:
    """A schedule on a clock that moves when told to; a sweep raises what is in `faults`, one each, then goes well."""

    def __init__(self, start: datetime, *faults: Exception, cron: str = "0 2 * * *") -> None:
        self.clock = ManualClock()
        self.clock.advance(start - self.clock.now())
        self.recorder = Recorder()
        self.faults = list(faults)
        self.swept: list[tuple[datetime, datetime]] = []
        self.schedule = SweepScheduler(
            self._sweep, self.clock, self.recorder.metrics, cron=cron, zone=ZoneInfo("UTC"), patience=SIX_HOURS
        )

    def _sweep(self, due: datetime, halt: Event) -> SweepReport:
        self.swept.append((due, self.clock.now()))
        if self.faults:
            raise self.faults.pop(0)
        return DONE

    def pass_by(self, span: timedelta, *, step: timedelta = timedelta(minutes=1)) -> None:
        """Let time pass, with a look at the clock after each step."""
        self.schedule.run_once()
        for _ in range(span // step):
            self.clock.advance(step)
            self.schedule.run_once()

    def dues(self) -> list[datetime]:
        """The times that were swept for, each try."""
        return [due for due, _ in self.swept]


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


@pytest.mark.parametrize("bad", ["0 2 * *", "0 2 * * 5-2", "x 2 * * *", "0 25 * * *", "0 0 31 2 *", "0 2 1 * 1"])
def test_a_bad_crontab_line_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        cron_trigger(bad, ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2026, 1, 1, 23, 15, tzinfo=UTC), "2026-01-02T00:15:00+01:00"),
        (datetime(2026, 1, 2, 5, 14, 59, tzinfo=UTC), "2026-01-02T00:15:00+01:00"),
        (datetime(2026, 1, 2, 5, 15, tzinfo=UTC), None),
        (datetime(2026, 1, 1, 23, 14, 59, tzinfo=UTC), None),
    ],
)
def test_the_latest_time_due_is_sought_back_to_its_bound_and_told_in_the_crons_zone(
    now: datetime, expected: str | None
) -> None:
    due = latest_due(cron_trigger("15 0 * * *", PRAGUE), now, within=SIX_HOURS)
    assert (due and due.isoformat()) == expected


def test_of_several_times_due_the_latest_counts() -> None:
    now = datetime(2026, 1, 1, 23, 20, tzinfo=UTC)
    assert latest_due(cron_trigger("*/25 * * * *", PRAGUE), now, within=SIX_HOURS) == now - timedelta(minutes=20)


@pytest.mark.parametrize("start", [datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC)])
@pytest.mark.parametrize("cron", ["30 * * * *", "30 2 * * *", "*/20 1-3 * * *"])
def test_the_times_due_go_forward_when_the_clocks_are_changed(cron: str, start: datetime) -> None:
    trigger = cron_trigger(cron, PRAGUE)
    after = start
    while after < start + timedelta(days=1):
        due = next_due(trigger, after).astimezone(UTC)
        assert due > after
        latest = latest_due(trigger, due, within=SIX_HOURS)
        assert latest is not None
        assert latest.astimezone(UTC) == due
        after = due


def test_the_schedule_fires_by_itself() -> None:
    fired = Event()

    def sweep(_due: datetime, _halt: Event) -> SweepReport:
        fired.set()
        return DONE

    schedule = SweepScheduler(
        sweep, ManualClock(), Recorder().metrics, cron="0 12 * * *", zone=ZoneInfo("UTC"), patience=SIX_HOURS
    )
    schedule.start()
    assert fired.wait(WAIT_S)
    schedule.ask_to_stop()


def test_each_time_due_is_swept_once_when_it_comes() -> None:
    night = Night(TWO - timedelta(hours=1))
    night.pass_by(timedelta(hours=26))
    assert night.swept == [(TWO, TWO), (TWO + timedelta(days=1), TWO + timedelta(days=1))]


def test_what_a_sweep_did_is_counted_with_the_time_at_which_it_went_well() -> None:
    night = Night(TWO + timedelta(minutes=3))
    night.schedule.run_once()
    assert night.recorder.counts("mcsvc.jobs.triggered") == {"schedule": 2}
    assert night.recorder.counts("mcsvc.sweep.accounts") == {"triggered": 2, "skipped": 1, "refused": 1}
    assert night.recorder.counts("mcsvc.sweep.last_success") == {"": (TWO + timedelta(minutes=3)).timestamp()}


@pytest.mark.parametrize(("late", "swept"), [(timedelta(hours=5, minutes=59), [TWO]), (SIX_HOURS, [])])
def test_a_service_that_was_down_at_the_time_sweeps_at_its_start_unless_it_is_too_late(
    late: timedelta, swept: list[datetime]
) -> None:
    night = Night(TWO + late)
    night.pass_by(timedelta(hours=1))
    assert night.dues() == swept


@pytest.mark.parametrize(
    "fault", [CoreServiceUnavailable("away"), CoreServiceInvalid("page 2 answered 400"), ZeroDivisionError("a bug")]
)
def test_whatever_ends_a_sweep_it_is_tried_again_until_it_goes_well(fault: Exception) -> None:
    night = Night(TWO, *[fault] * 40)
    night.pass_by(SIX_HOURS)
    assert night.dues() == [TWO] * 41
    assert night.swept[-1][1] - TWO > timedelta(hours=2)
    assert night.recorder.counts("mcsvc.jobs.triggered") == {"schedule": 2}


def test_a_sweep_waits_as_long_as_the_other_side_asks() -> None:
    night = Night(TWO, CoreServiceUnavailable("busy", retry_after=timedelta(minutes=30)))
    night.pass_by(timedelta(hours=1))
    assert [at - TWO for _, at in night.swept] == [timedelta(0), timedelta(minutes=30)]


def test_a_sweep_that_never_goes_well_is_given_up_when_its_patience_ends(caplog: pytest.LogCaptureFixture) -> None:
    night = Night(TWO, *[CoreServiceUnavailable("away")] * 1000)
    night.pass_by(timedelta(hours=8))
    assert timedelta(hours=5, minutes=50) < night.swept[-1][1] - TWO < SIX_HOURS
    assert [record.message for record in caplog.records].count("sweep_given_up") == 1
    assert night.recorder.counts("mcsvc.sweep.last_success") == {}


def test_the_next_time_due_takes_over_from_a_sweep_that_does_not_go_well() -> None:
    busy = CoreServiceUnavailable("busy", retry_after=timedelta(minutes=50))
    night = Night(TWO, busy, busy, cron="0 * * * *")
    night.pass_by(timedelta(hours=1))
    assert night.dues() == [TWO, TWO, TWO + timedelta(hours=1)]


def test_a_sweep_that_is_halted_is_neither_done_nor_told_as_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    night = Night(TWO, SweepHalted("stopped"))
    night.schedule.run_once()
    assert not [record for record in caplog.records if record.message.startswith("sweep_interrupted")]
    assert night.recorder.counts("mcsvc.sweep.last_success") == {}


def test_a_stop_is_told_to_the_sweep_under_way() -> None:
    begun, ended = Event(), Event()

    def sweep(_due: datetime, halt: Event) -> SweepReport:
        begun.set()
        if halt.wait(WAIT_S):
            ended.set()
        raise SweepHalted("stopped")

    schedule = SweepScheduler(
        sweep, ManualClock(), Recorder().metrics, cron="0 12 * * *", zone=ZoneInfo("UTC"), patience=SIX_HOURS
    )
    schedule.start()
    assert begun.wait(WAIT_S)
    schedule.ask_to_stop()
    assert ended.wait(WAIT_S)
