"""What is told of the jobs and events that wait, and that nothing is while it is not known."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mcsvc.domain.errors import StoreUnavailable
from mcsvc.entrypoints.backlog import ping_and_tell
from tests.mcsvc_harness import System


def told(system: System) -> list[dict[str, int]]:
    """The gauges of the backlog."""
    return [system.recorder.counts(f"mcsvc.{name}") for name in ("jobs.pending", "jobs.due_for", "outbox.unsent")]


def test_what_waits_is_told_each_time_the_database_is_asked() -> None:
    system = System()
    assert told(system) == [{}, {}, {}]
    ping_and_tell(system.store, system.recorder.metrics)
    none_due = dict.fromkeys(("api", "assessment_completed", "schedule"), 0)
    assert told(system) == [{"": 0}, none_due, {"": 0}]
    system.job()
    system.clock.advance(timedelta(seconds=90))
    ping_and_tell(system.store, system.recorder.metrics)
    assert told(system) == [{"": 1}, none_due | {"api": 90}, {"": 0}]


@pytest.mark.parametrize("answered", [0, 1])
def test_nothing_is_told_of_a_backlog_that_cannot_be_read(answered: int) -> None:
    system = System()
    ping_and_tell(system.store, system.recorder.metrics)
    system.store.faults += [None] * answered + [StoreUnavailable("away")]
    with pytest.raises(StoreUnavailable):
        ping_and_tell(system.store, system.recorder.metrics)
    assert told(system) == [{}, {}, {}]
