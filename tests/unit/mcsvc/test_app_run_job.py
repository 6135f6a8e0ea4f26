"""What one attempt does to its job, whatever happens in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest

from mcsvc.adapters.memory.clock import ManualClock
from mcsvc.adapters.memory.simulator import Checkpoint, Do, Hang, fails_with
from mcsvc.app.events import COMPLETED_TOPIC, FAILED_TOPIC
from mcsvc.app.failures import verdict_of
from mcsvc.app.run_policy import RunPolicy
from mcsvc.app.snapshot import build_snapshot, store_form
from mcsvc.domain.errors import (
    CoreServiceInvalid,
    CoreServiceUnavailable,
    EngineRejected,
    EngineUnavailable,
    Retryable,
    StoreUnavailable,
    SubjectNotFound,
    Violation,
)
from mcsvc.domain.job import Job, Progress, State
from mcsvc.domain.subject import Settings, Subject, SubjectKind
from mcsvc.ports.job_store import Snapshot
from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import result_pb2, trade_pb2
from tests.job_bench import POLICY, Bench, FlakyStore, RefusingStore
from tests.job_samples import ASSESSMENT, NO_LEASE, RECORD, RULES, TRADES, new_job

WAIT_S = 10.0
NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def input_of(snapshot: Snapshot) -> engine_pb2.SimulateInput:
    return engine_pb2.SimulateInput.FromString(snapshot.data)


def as_of(snapshot: Snapshot) -> str:
    return input_of(snapshot).settings.as_of.ToJsonString()


def test_a_run_stores_its_result_its_input_and_one_completion_event() -> None:
    bench = Bench()
    job = bench.run(bench.claimed())
    snapshot, result = bench.memory.snapshot(job.id), bench.memory.result(job.id)
    assert snapshot is not None
    assert result is not None
    assert job.state is State.SUCCEEDED
    assert (job.input_digest, job.result_digest) == (snapshot.digest, result.digest)
    (event,) = bench.events()
    body = json.loads(event.payload)
    assert event.topic == COMPLETED_TOPIC
    assert event.key == body["simulation_id"] == str(job.id)
    assert body["assessment_id"] == ASSESSMENT.ref
    assert body["outcomes"]["passed"]["value"] == 1.0
    assert (body["input_digest"], body["result_digest"]) == (snapshot.digest, result.digest)
    assert datetime.fromisoformat(body["finish_time"]) == job.finish_time
    assert event.headers["ce_id"] == event.id == body["id"]
    assert event.headers["ce_type"] == COMPLETED_TOPIC
    assert event.headers["content-type"] == "application/json"
    assert {"ce_specversion", "ce_source"} <= event.headers.keys()


def test_the_event_goes_on_with_the_trace_the_job_was_made_in() -> None:
    bench = Bench()
    job = bench.claimed()
    bench.run(job)
    (event,) = bench.events()
    trace_id = job.trace_parent.split("-")[1]
    assert trace_id in event.headers["traceparent"]


def test_the_input_is_what_the_core_service_says_under_the_settings_asked_for_as_of_now() -> None:
    bench = Bench()
    job = bench.claimed()
    bench.run(job)
    (snapshot,) = bench.simulator.inputs
    assert snapshot == build_snapshot(TRADES, RULES, None, job.settings, fetched_at=bench.clock.now())
    assert engine_pb2.SimulateInput.FromString(snapshot.data).settings.seed == 2**64 - 1


def test_an_input_is_dated_by_the_clock_of_the_store_whatever_the_workers_own_says() -> None:
    bench = Bench()
    of_the_store, bench.clock = bench.clock, ManualClock()
    of_the_store.advance(timedelta(minutes=10))
    trade = trade_pb2.Trade(pnl="1")
    trade.closed_at.FromDatetime(of_the_store.now() - timedelta(seconds=1))
    bench.core.put(ASSESSMENT, RECORD, [*TRADES, trade])
    bench.run(bench.claimed())
    (snapshot,) = bench.simulator.inputs
    assert input_of(snapshot).settings.as_of.ToDatetime(UTC) == of_the_store.now()


def test_a_present_that_was_asked_for_is_kept_and_an_input_that_came_with_the_request_has_none() -> None:
    asked = Settings(others='{"as_of": "2020-01-02T03:04:05Z"}')
    fetched = build_snapshot(TRADES, RULES, None, asked, fetched_at=NOW)
    assert as_of(fetched) == "2020-01-02T03:04:05Z"
    assert as_of(build_snapshot(TRADES, RULES, None, Settings(), fetched_at=NOW)) == "2026-01-05T12:00:00Z"
    assert build_snapshot(TRADES, RULES, None, Settings()) == build_snapshot(TRADES, RULES, None, Settings())
    assert not input_of(build_snapshot(TRADES, RULES, None, Settings())).settings.HasField("as_of")


@pytest.mark.parametrize(
    ("ahead", "present"),
    [
        (timedelta(seconds=-1), "2026-01-05T12:00:00Z"),
        (timedelta(milliseconds=500), "2026-01-05T12:00:00.500Z"),
        (timedelta(minutes=5), "2026-01-05T12:05:00Z"),
        (timedelta(minutes=6), "2026-01-05T12:00:00Z"),
    ],
)
def test_a_clock_that_is_a_little_ahead_makes_no_trade_one_of_the_future(ahead: timedelta, present: str) -> None:
    latest = trade_pb2.Trade(pnl="1")
    latest.closed_at.FromDatetime(NOW + ahead)
    assert as_of(build_snapshot([latest, *TRADES], RULES, None, Settings(), fetched_at=NOW)) == present


def test_a_seed_not_asked_for_is_left_to_the_engine() -> None:
    snapshot = build_snapshot(TRADES, RULES, None, Settings())
    assert not engine_pb2.SimulateInput.FromString(snapshot.data).settings.HasField("seed")


def test_equal_results_have_equal_digests_however_long_they_took() -> None:
    quick, slow = (result_pb2.SimulationResult(paths=10, elapsed_s=seconds) for seconds in (0.1, 9.0))
    assert store_form(quick).digest == store_form(slow).digest != store_form(result_pb2.SimulationResult()).digest
    assert result_pb2.SimulationResult.FromString(store_form(slow).data) == slow


def test_an_inline_input_is_simulated_without_asking_the_core_service() -> None:
    bench = Bench()
    inline = build_snapshot(TRADES, RULES, None, Settings(paths=7))
    bench.memory.create(new_job(subject=Subject(kind=SubjectKind.INLINE, ref=inline.digest)), inline)
    assert bench.run(bench.claim_again()).state is State.SUCCEEDED
    assert bench.simulator.inputs == [inline]
    assert bench.core.calls == 0


def test_a_second_attempt_simulates_the_stored_input_from_the_checkpoint() -> None:
    bench = Bench()
    broken = fails_with(EngineUnavailable("broke off"))[0]
    bench.simulator.scripts = [[100, Checkpoint(data=b"at 500", paths_done=500), *broken]]
    job = bench.run(bench.claimed())
    assert (job.state, job.attempt) == (State.PENDING, 1)
    bench.core.histories[ASSESSMENT] = TRADES[:1]
    job = bench.run(bench.claim_again())
    assert (job.state, job.attempt) == (State.SUCCEEDED, 2)
    assert bench.simulator.resumed_from == [b"", b"at 500"]
    assert bench.simulator.inputs[0] == bench.simulator.inputs[1]


def test_a_checkpoint_the_engine_does_not_understand_costs_only_a_fresh_start() -> None:
    bench = Bench()
    bench.simulator.scripts = [[Checkpoint(data=b"old", paths_done=1), *fails_with(EngineUnavailable("x"))[0]]]
    bench.run(bench.claimed())
    refusal = EngineRejected([Violation(field="resume_from", description="of another version")])
    bench.simulator.scripts = fails_with(refusal)
    assert bench.run(bench.claim_again()).state is State.SUCCEEDED
    assert bench.simulator.resumed_from == [b"", b"old", b""]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SubjectNotFound("no such account"), "SUBJECT_NOT_FOUND"),
        (CoreServiceInvalid("a trade without a time"), "CORE_SERVICE_INVALID"),
        (EngineRejected([Violation(field="trades", description="empty; give at least one")]), "INPUT_INVALID"),
    ],
)
def test_an_error_that_another_attempt_cannot_mend_fails_the_job_at_once(error: Exception, code: str) -> None:
    bench = Bench()
    bench.simulator.scripts = fails_with(error)
    job = bench.run(bench.claimed())
    assert job.state is State.FAILED
    assert job.failure is not None
    assert (job.failure.code, job.failure.message) == (code, str(error))
    (event,) = bench.events()
    assert event.topic == FAILED_TOPIC
    assert json.loads(event.payload)["error"] == {"code": code, "message": str(error)}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CoreServiceUnavailable("down"), "CORE_SERVICE_UNAVAILABLE"),
        (EngineUnavailable("down"), "ENGINE_UNAVAILABLE"),
        (StoreUnavailable("down"), "STORE_UNAVAILABLE"),
        (Retryable("down"), "UNAVAILABLE"),
        (ZeroDivisionError("secret"), "INTERNAL"),
    ],
)
def test_an_error_that_may_pass_is_retried_until_the_attempts_are_used(error: Exception, code: str) -> None:
    bench = Bench()
    bench.simulator.scripts = fails_with(error, error, error)
    job = bench.run(bench.claimed())
    for attempt in (1, 2):
        assert (job.state, job.attempt, bench.events()) == (State.PENDING, attempt, [])
        job = bench.run(bench.claim_again())
    assert (job.state, job.attempt) == (State.FAILED, 3)
    assert job.failure is not None
    assert job.failure.code == code
    assert [event.topic for event in bench.events()] == [FAILED_TOPIC]


AWAY = [
    (CoreServiceUnavailable("away", away=True), "CORE_SERVICE_UNAVAILABLE"),
    (EngineUnavailable("away", away=True), "ENGINE_UNAVAILABLE"),
]


@pytest.mark.parametrize(("error", "code"), AWAY)
def test_an_outage_costs_no_attempts_until_the_job_is_too_old_for_it(error: Exception, code: str) -> None:
    bench = Bench(policy=replace(POLICY, outage_patience=timedelta(hours=4, minutes=30)))
    bench.simulator.scripts = fails_with(*[error] * 8)
    job = bench.run(bench.claimed())
    for attempt in range(1, 6):
        assert (job.state, job.attempt, job.max_attempts) == (State.PENDING, attempt, attempt + 3)
        assert job.failure is not None
        assert job.failure.code == code
        job = bench.run(bench.claim_again())
    while job.state is State.PENDING:
        job = bench.run(bench.claim_again())
    assert (job.state, job.attempt) == (State.FAILED, 8)
    assert [event.topic for event in bench.events()] == [FAILED_TOPIC]


def test_a_job_that_outlasts_an_outage_has_all_its_attempts_left() -> None:
    bench = Bench()
    bench.simulator.scripts = fails_with(*[EngineUnavailable("away", away=True)] * 4, *[EngineUnavailable("broke")] * 3)
    bench.run(bench.claimed())
    states = [bench.run(bench.claim_again()).state for _ in range(6)]
    assert states == [State.PENDING] * 5 + [State.FAILED]


def test_an_unforeseen_error_shows_its_kind_but_neither_text_nor_trace(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.simulator.scripts = fails_with(ZeroDivisionError("secret"))
    job = bench.run(bench.claimed())
    assert job.failure is not None
    assert "ZeroDivisionError" in job.failure.message
    assert "secret" not in job.failure.message
    (record,) = [record for record in caplog.records if record.message == "job_attempt_broke"]
    assert record.exc_info is not None


@pytest.mark.parametrize(
    ("error", "state"), [(CoreServiceInvalid("words"), State.FAILED), (EngineUnavailable("words"), State.PENDING)]
)
def test_a_failure_whose_words_are_not_stored_keeps_its_code(
    error: Exception, state: State, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()
    job = bench.claimed()
    bench.store = RefusingStore(bench.memory, words="words").as_store()
    bench.simulator.scripts = fails_with(error)
    fallen = bench.run(job)
    assert fallen.state is state
    assert fallen.failure is not None
    assert fallen.failure.code == verdict_of(error).failure.code
    assert "job_failure_not_stored" in fallen.failure.message
    assert "job_failure_not_stored" in {record.message for record in caplog.records}


def test_waits_double_and_are_never_less_than_the_other_side_asked_for() -> None:
    bench = Bench()
    patient = EngineUnavailable("busy", retry_after=timedelta(seconds=30))
    bench.simulator.scripts = fails_with(EngineUnavailable("down"), patient)
    waits = []
    for job in (bench.claimed(), None):
        retried = bench.run(job or bench.claim_again())
        waits.append(retried.run_after - bench.clock.now())
    assert waits == [timedelta(seconds=1), timedelta(seconds=30)]


def out_of_time(done: Sequence[int | Checkpoint]) -> tuple[Job, Job]:
    """A job as it was claimed, and as it is after an attempt that told this and then took too long."""
    bench = Bench()
    wait = Do(action=lambda: bench.clock.advance(timedelta(minutes=5)))
    bench.simulator.scripts = [[*done, wait, *fails_with(EngineUnavailable("deadline exceeded"))[0]]]
    claimed = bench.claimed()
    return claimed, bench.run(claimed)


@pytest.mark.parametrize("done", [[0, 100], [100, 200], [Checkpoint(data=b"histories", paths_done=0)]])
def test_a_run_over_its_limit_is_retried_as_timed_out(done: list[int | Checkpoint]) -> None:
    claimed, job = out_of_time(done)
    assert (job.state, job.max_attempts) == (State.PENDING, claimed.max_attempts)
    assert job.failure is not None
    assert job.failure.code == "TIMED_OUT"
    assert "300 s" in job.failure.message


@pytest.mark.parametrize("done", [[], [0, 0], [100, 100]])
def test_a_run_that_no_worker_begins_is_put_off(done: list[int]) -> None:
    claimed, job = out_of_time(done)
    assert (job.state, job.max_attempts) == (State.PENDING, claimed.max_attempts + 1)
    assert job.failure is not None
    assert job.failure.code == "TIMED_OUT"
    assert "workers" in job.failure.message


def test_an_engine_that_ignores_the_limit_is_ended_at_its_next_report() -> None:
    bench = Bench(policy=replace(POLICY, timeout=timedelta(seconds=10)))
    bench.simulator.scripts = [[Do(action=lambda: bench.clock.advance(timedelta(seconds=11))), 100]]
    failure = bench.run(bench.claimed()).failure
    assert failure is not None
    assert failure.code == "TIMED_OUT"


@pytest.mark.parametrize("pieces", [1, 3])
def test_an_input_that_does_not_come_within_the_limit_of_the_run_is_left(pieces: int) -> None:
    bench = Bench(policy=replace(POLICY, timeout=timedelta(seconds=10)))
    bench.core.pieces = [lambda: bench.clock.advance(timedelta(seconds=11 / pieces))] * (pieces + 5)
    job = bench.run(bench.claimed())
    assert (job.state, job.attempt) == (State.PENDING, 1)
    assert job.failure is not None
    assert job.failure.code == "TIMED_OUT"
    assert "Core Service" in job.failure.message
    assert len(bench.core.pieces) == 5
    assert bench.simulator.inputs == []


def test_a_run_that_is_halted_leaves_the_input_it_fetches() -> None:
    bench = Bench()
    bench.core.pieces = [bench.stopping.set, bench.halt.set, pytest.fail]
    back = bench.run(bench.claimed())
    assert (back.state, back.attempt, back.failure) == (State.PENDING, 0, None)
    assert bench.core.pieces == [pytest.fail]


def test_progress_is_written_at_most_once_a_second() -> None:
    bench = Bench()
    seen: list[Progress] = []

    def look() -> None:
        seen.append(bench.memory.get(job.id).progress)

    tick = Do(action=lambda: bench.clock.advance(timedelta(milliseconds=600)))
    bench.simulator.scripts = [[100, Do(action=look), tick, 200, Do(action=look), tick, 300, Do(action=look)]]
    job = bench.claimed()
    bench.run(job)
    assert [progress.paths_done for progress in seen] == [100, 100, 300]


def test_a_store_that_is_away_during_the_run_costs_only_the_progress() -> None:
    bench = Bench()
    away = Do(action=lambda: bench.memory.faults.extend([StoreUnavailable("away"), StoreUnavailable("away")]))
    bench.simulator.scripts = [[away, 100, Checkpoint(data=b"c", paths_done=100)]]
    assert bench.run(bench.claimed()).state is State.SUCCEEDED


def test_a_finishing_write_is_repeated_while_the_store_is_away() -> None:
    bench = Bench(policy=replace(POLICY, store_patience=timedelta(minutes=1)))
    away = Do(action=lambda: bench.memory.faults.extend([StoreUnavailable("away")] * 5))
    bench.simulator.scripts = [[away]]
    assert bench.run(bench.claimed()).state is State.SUCCEEDED


def test_a_worker_whose_job_was_cancelled_writes_nothing_more() -> None:
    bench = Bench()
    job = bench.claimed()
    bench.simulator.scripts = [[Do(action=lambda: bench.memory.cancel(job.id)), 100]]
    assert bench.run(job).state is State.CANCELLED
    assert bench.events() == []


def run_until_hanging(bench: Bench, job: Job) -> Thread:
    """A run on a thread of its own, in the middle of its simulation."""
    hang = Hang()
    bench.simulator.scripts = [[Checkpoint(data=b"half", paths_done=500), hang]]
    thread = Thread(target=bench.run, args=(job,), daemon=True)
    thread.start()
    assert hang.begun.wait(WAIT_S)
    return thread


def test_a_lost_lease_stops_the_engine_and_changes_nothing() -> None:
    bench = Bench()
    job = bench.claimed(lease=NO_LEASE)
    thread = run_until_hanging(bench, job)
    bench.rescue()
    rescued = bench.memory.get(job.id)
    bench.halt.set()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert bench.simulator.stopped == 1
    assert bench.memory.get(job.id) == rescued


def test_a_worker_that_shuts_down_hands_its_job_back_with_the_checkpoint() -> None:
    bench = Bench()
    job = bench.claimed()
    thread = run_until_hanging(bench, job)
    bench.stopping.set()
    bench.halt.set()
    thread.join(WAIT_S)
    back = bench.memory.get(job.id)
    assert (back.state, back.attempt, back.failure) == (State.PENDING, 0, None)
    assert bench.memory.checkpoint(job.id) == b"half"


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
def test_a_store_failing_at_any_one_step_still_yields_exactly_one_result_and_event(*, after: bool) -> None:
    for nth in range(12):
        bench = Bench(policy=RunPolicy(backoff_base=timedelta(0), store_patience=timedelta(0)))
        job = bench.claimed(lease=NO_LEASE)
        bench.store = FlakyStore(bench.memory, nth=nth, after=after).as_store()
        bench.simulator.scripts = [[100, Checkpoint(data=b"c", paths_done=100)]]
        bench.run(job)
        bench.store = bench.memory
        while not (now := bench.memory.get(job.id)).state.final:
            bench.rescue() or bench.run(bench.claim_again())
        assert (now.state, nth) == (State.SUCCEEDED, nth)
        assert len(bench.events()) == 1
        assert bench.memory.result(job.id) is not None
