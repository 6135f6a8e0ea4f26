"""Rescue: what becomes of jobs whose worker died. Relay: what becomes of the events that are owed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from mcsvc.adapters.memory.events import MemoryPublisher
from mcsvc.app.events import FAILED_TOPIC
from mcsvc.app.forget_old import ForgetOld
from mcsvc.app.relay_events import RelayEvents
from mcsvc.domain.errors import StoreUnavailable
from mcsvc.domain.job import State, term_of
from mcsvc.ports.job_store import JobFilter
from tests.job_bench import Bench
from tests.job_samples import FAILURE, NO_LEASE, event_of, new_job


def test_a_crash_counts_as_an_attempt_and_the_job_is_tried_again() -> None:
    bench = Bench()
    job = bench.claimed(lease=NO_LEASE)
    assert bench.rescue() == 1
    rescued = bench.memory.get(job.id)
    assert (rescued.state, rescued.attempt) == (State.PENDING, 1)
    assert rescued.run_after > bench.clock.now()
    assert bench.rescue() == 0


def test_a_job_that_kills_its_workers_ends_failed_and_says_why() -> None:
    bench = Bench()
    job = bench.claimed(new_job(max_attempts=1), lease=NO_LEASE)
    assert bench.rescue() == 1
    dead = bench.memory.get(job.id)
    assert dead.state is State.FAILED
    assert dead.failure is not None
    assert dead.failure.code == "LEASE_EXPIRED"
    (event,) = bench.events()
    assert event.topic == FAILED_TOPIC
    assert json.loads(event.payload)["error"]["code"] == "LEASE_EXPIRED"


def test_a_job_within_its_lease_is_left_alone() -> None:
    bench = Bench()
    bench.claimed(lease=timedelta(seconds=30))
    bench.clock.advance(timedelta(seconds=29))
    assert bench.rescue() == 0
    bench.clock.advance(timedelta(seconds=1))
    assert bench.rescue() == 1


def test_a_job_that_finishes_during_the_rescue_stays_finished() -> None:
    bench = Bench()
    job = bench.claimed(lease=NO_LEASE)
    seen = bench.memory.expired(limit=1)
    bench.run(job)
    bench.memory.expired = lambda *, limit: seen  # type: ignore[method-assign]  # what the rescuer saw just before
    assert bench.rescue() == 0
    assert bench.memory.get(job.id).state is State.SUCCEEDED


def owing(count: int, *, key: str = "") -> Bench:
    bench = Bench()
    for _ in range(count):
        job = bench.claimed()
        bench.memory.fail(term_of(job), FAILURE, partial(event_of, key=key))
    return bench


def test_events_are_sent_once_and_marked() -> None:
    bench, publisher = owing(3), MemoryPublisher()
    relay = RelayEvents(store=bench.memory, publisher=publisher, monotonic=bench.clock.monotonic)
    assert (relay(), relay()) == (3, 0)
    assert len(publisher.sent()) == 3
    assert bench.events() == []


def test_an_event_the_broker_does_not_acknowledge_stays_owed() -> None:
    bench, publisher = owing(2), MemoryPublisher()
    relay = RelayEvents(store=bench.memory, publisher=publisher, monotonic=bench.clock.monotonic)
    refused = bench.events()[0]
    publisher.refused = {refused.id}
    assert relay() == 1
    assert bench.events() == [refused]
    publisher.refused = set()
    bench.clock.advance(relay.hold)
    assert relay() == 1
    assert bench.events() == []


def test_a_topic_that_takes_nothing_keeps_no_other_waiting() -> None:
    bench, publisher = owing(5), MemoryPublisher()
    stuck = bench.events()
    publisher.refused = {event.id for event in stuck}
    job = bench.claimed()
    bench.memory.fail(term_of(job), FAILURE, lambda finished: replace(event_of(finished), topic="another"))
    relay = RelayEvents(store=bench.memory, publisher=publisher, batch=2, monotonic=bench.clock.monotonic)
    assert [relay(), relay(), relay()] == [0, 1, 0]
    assert [event.topic for event in publisher.sent()] == ["another"]
    publisher.refused = set()
    bench.clock.advance(relay.hold)
    assert [relay(), relay(), relay()] == [2, 2, 1]


def test_a_relay_that_dies_before_marking_leads_to_a_resend_under_the_same_id() -> None:
    bench, publisher = owing(1), MemoryPublisher()
    relay = RelayEvents(store=bench.memory, publisher=publisher, monotonic=bench.clock.monotonic)
    bench.memory.faults = [None, StoreUnavailable("died")]
    with pytest.raises(StoreUnavailable):
        relay()
    bench.clock.advance(relay.hold)
    assert relay() == 1
    first, second = publisher.sent()
    assert first == second


def test_events_of_a_key_are_sent_in_order_even_if_the_first_fails() -> None:
    bench, publisher = owing(3, key="k"), MemoryPublisher()
    relay = RelayEvents(store=bench.memory, publisher=publisher, monotonic=bench.clock.monotonic)
    order = [event.id for event in bench.events()]
    publisher.refused = {order[0]}
    assert relay() == 0
    publisher.refused = set()
    bench.clock.advance(relay.hold)
    while relay():
        pass
    assert [event.id for event in publisher.sent()] == order


@pytest.mark.parametrize(("keep_days", "left"), [(0, 1), (2, 1), (1, 0)])
def test_what_has_been_kept_long_enough_is_forgotten_unless_it_is_kept_for_ever(keep_days: int, left: int) -> None:
    bench = owing(1)
    bench.memory.mark_sent([event.id for event in bench.events()])
    bench.clock.advance(timedelta(days=1, seconds=1))
    span = timedelta(days=keep_days)
    forget = ForgetOld(store=bench.memory, keep_jobs=span, keep_events=span)
    assert forget() == 1 - left
    assert len(bench.memory.find(JobFilter(), limit=10)) == left


def test_forgetting_says_when_there_may_be_more() -> None:
    bench = Bench()
    for _ in range(3):
        bench.memory.cancel(bench.claimed().id)
    bench.clock.advance(timedelta(days=2))
    forget = ForgetOld(store=bench.memory, keep_jobs=timedelta(days=1), keep_events=timedelta(days=1), batch=2)
    assert [forget(), forget(), forget()] == [2, 1, 0]
