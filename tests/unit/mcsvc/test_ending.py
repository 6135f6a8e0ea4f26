"""Steps that never end do not keep the others, nor the one who waits for them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from threading import Barrier, Event

import pytest

from mcsvc.ending import Countdown, together, unless

LONG = timedelta(seconds=20)
SHORT = timedelta(milliseconds=50)


@pytest.fixture
def never() -> Iterator[Event]:
    """Waiting for it blocks as long as the test lasts."""
    event = Event()
    yield event
    event.set()


def logged(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, object]]:
    return [vars(record)["fields"] for record in caplog.records if record.message == event]


def test_a_countdown_runs_from_its_first_start_to_zero() -> None:
    now = [100.0]
    countdown = Countdown(timedelta(seconds=10), monotonic=lambda: now[0])
    assert (countdown.left(), countdown.left(until=0.5)) == (timedelta(seconds=10), timedelta(seconds=5))
    now[0] = 200.0
    countdown.start()
    now[0] = 204.0
    countdown.start()
    assert (countdown.left(), countdown.left(until=0.5)) == (timedelta(seconds=6), timedelta(seconds=1))
    now[0] = 211.0
    assert countdown.left() == timedelta(0)


def test_steps_that_end_in_time_are_not_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    meeting = Barrier(2)
    assert together({"one": lambda: meeting.wait(20), "other": lambda: meeting.wait(20)}, within=LONG)
    assert not meeting.broken, "they did not run at the same time"
    assert caplog.records == []


def test_a_step_that_never_ends_is_named_and_left_behind(never: Event, caplog: pytest.LogCaptureFixture) -> None:
    done = Event()
    assert not together({"stuck": never.wait, "quick": done.set}, within=SHORT)
    assert done.is_set()
    [line] = logged(caplog, "stop_steps_left_behind")
    assert line["steps"] == ["stuck"]


def test_all_steps_share_one_time(never: Event) -> None:
    asked = time.monotonic()
    assert not together({f"stuck {n}": never.wait for n in range(20)}, within=timedelta(milliseconds=200))
    assert time.monotonic() - asked < 20 * 0.2 / 2, "each had the time for itself"


def test_a_step_that_breaks_is_logged_and_keeps_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def break_() -> None:
        raise ValueError("no")

    done = Event()
    with caplog.at_level(logging.ERROR):
        assert together({"broken": break_, "other": done.set}, within=LONG)
    assert done.is_set()
    [line] = logged(caplog, "stop_step_broke")
    assert line["step"] == "broken"


def test_a_step_of_the_start_is_done_or_raises_as_if_called() -> None:
    done = Event()
    assert unless(Event(), done.set)
    assert done.is_set()
    with pytest.raises(ZeroDivisionError):
        unless(Event(), lambda: 1 // 0)


def test_a_step_of_the_start_that_never_ends_does_not_keep_a_stop_waiting(never: Event) -> None:
    stop = Event()

    def step() -> None:
        stop.set()  # it comes while the step is under way
        never.wait()

    assert not unless(stop, step)
