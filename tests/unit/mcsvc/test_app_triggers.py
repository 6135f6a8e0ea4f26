"""How jobs come to be: by request, by event, by the daily sweep."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from mcsvc.adapters.memory.clock import ManualClock
from mcsvc.adapters.memory.core_service import MemoryCoreService
from mcsvc.adapters.memory.job_store import MemoryJobStore
from mcsvc.app.ingest_assessment import AssessmentCompleted, IngestAssessment
from mcsvc.app.snapshot import build_snapshot, from_settings_message, to_settings_message
from mcsvc.app.sweep_funded_accounts import SweepFundedAccounts, SweepHalted, SweepReport
from mcsvc.app.trigger_simulation import TriggerRequest, TriggerSimulation
from mcsvc.domain.errors import CoreServiceInvalid, CoreServiceUnavailable, RequestIdReused
from mcsvc.domain.job import Job, State, Trigger
from mcsvc.domain.subject import Model, Settings, Subject, SubjectKind, settings_form
from mcsvc.ports.core_service import AccountPage
from mcsvc.ports.job_store import JobFilter
from montecarlo.v1 import settings_pb2
from tests.job_samples import ASSESSMENT, RECORD, RULES, TRADES, new_job_id

MONDAY = datetime(2026, 1, 5, 2, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass
class Office:
    """The triggers, over fakes."""

    clock: ManualClock = field(default_factory=ManualClock)
    core: MemoryCoreService = field(default_factory=MemoryCoreService)

    def __post_init__(self) -> None:
        self.store = MemoryJobStore(self.clock)
        self.trigger = TriggerSimulation(store=self.store, clock=self.clock, new_id=new_job_id, max_attempts=3)
        self.ingest = IngestAssessment(trigger=self.trigger)
        self.sweep = SweepFundedAccounts(core=self.core, store=self.store, trigger=self.trigger, clock=self.clock)

    def swept(self, due: datetime) -> SweepReport:
        return self.sweep(due, Event())

    def jobs(self) -> list[Job]:
        return self.store.find(JobFilter(), limit=1000)

    def fund(self, *refs: str) -> None:
        for ref in refs:
            self.core.put(account(ref), RECORD, TRADES)


def account(ref: str) -> Subject:
    return Subject(kind=SubjectKind.FUNDED_ACCOUNT, ref=ref)


REQUEST = TriggerRequest(subject=ASSESSMENT, settings=Settings(paths=100), trigger=Trigger.API, request_id="r-1")
PASSED = AssessmentCompleted(source="core", event_id="e-1", assessment_id="a-1", outcome="PASSED", trace_parent="tp")


def test_a_request_makes_a_pending_job_that_knows_what_was_asked() -> None:
    office = Office()
    job = office.trigger(replace(REQUEST, trace_parent="tp"))
    assert (job.state, job.subject, job.settings) == (State.PENDING, ASSESSMENT, Settings(paths=100))
    assert (job.dedup_key, job.request_id, job.trace_parent) == ("request:r-1", "r-1", "tp")
    assert office.store.get(job.id) == job


def test_the_same_request_id_with_the_same_body_yields_the_same_job() -> None:
    office = Office()
    assert office.trigger(REQUEST) == office.trigger(REQUEST)
    assert len(office.jobs()) == 1


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, settings=Settings(paths=101)),
        replace(REQUEST, settings=Settings(paths=100, seed=0)),
        replace(REQUEST, settings=Settings(paths=100, model=Model.IID)),
        replace(REQUEST, settings=Settings(paths=100, others='{"time_budget_s": 3.0}')),
        replace(REQUEST, subject=replace(ASSESSMENT, ref="a-2")),
        replace(REQUEST, subject=replace(ASSESSMENT, kind=SubjectKind.FUNDED_ACCOUNT)),
    ],
)
def test_the_same_request_id_with_another_body_is_refused(other: TriggerRequest) -> None:
    office = Office()
    office.trigger(REQUEST)
    with pytest.raises(RequestIdReused):
        office.trigger(other)


def test_requests_without_an_id_each_make_a_job() -> None:
    office = Office()
    anonymous = replace(REQUEST, request_id="")
    assert office.trigger(anonymous).id != office.trigger(anonymous).id


def test_an_inline_input_is_kept_with_its_digest() -> None:
    office = Office()
    inline = build_snapshot(TRADES, RULES, None, Settings())
    subject = Subject(kind=SubjectKind.INLINE, ref=inline.digest)
    job = office.trigger(TriggerRequest(subject=subject, settings=Settings(), trigger=Trigger.API, inline=inline))
    assert job.input_digest == inline.digest
    assert office.store.snapshot(job.id) == inline


@pytest.mark.parametrize("model", Model)
@pytest.mark.parametrize("seed", [None, 0, 2**64 - 1])
def test_settings_survive_the_way_through_their_message(model: Model, seed: int | None) -> None:
    settings = Settings(paths=10**10, horizon_days=9, model=model, trades_per_day=3, block_length=2.5, seed=seed)
    assert from_settings_message(to_settings_message(settings)) == settings


EVERYTHING = settings_pb2.SimulationSettings(
    paths=5,
    horizon_days=6,
    model=settings_pb2.RESAMPLING_MODEL_STUDENT_T,
    trades_per_day=7,
    block_length=0.1 + 0.2,
    seed=0,
    stress=settings_pb2.Stress(loss_factor=1 / 3, cost_per_trade="1.50", worst_day=True),
    scenarios=[settings_pb2.Scenario(name="tight", limits_factor=0.9)],
    precision=[settings_pb2.PrecisionTarget(outcome="passed", half_width=1e-4)],
    time_budget_s=2.5,
    estimation_risk=settings_pb2.EstimationRisk(histories=20),
    rare_events=settings_pb2.RARE_EVENTS_OFF,
    excursions=settings_pb2.EXCURSIONS_OFF,
    as_of=Timestamp(seconds=1_767_614_400, nanos=500_000_000),
)


def test_every_setting_survives_the_way_to_the_engine_and_into_the_store_and_back() -> None:
    assert {each.name for each, _ in EVERYTHING.ListFields()} == set(
        settings_pb2.SimulationSettings.DESCRIPTOR.fields_by_name
    )
    settings = from_settings_message(EVERYTHING)
    assert to_settings_message(settings) == EVERYTHING
    stored = json.loads(json.dumps(settings_form(settings)))
    assert Settings(**{**stored, "model": Model(stored["model"])}) == settings


def test_settings_that_use_nothing_new_have_the_form_they_had_before() -> None:
    assert settings_form(Settings(paths=3)) == {
        "paths": 3, "horizon_days": 0, "model": "stationary", "trades_per_day": 0, "block_length": 0.0, "seed": None
    }  # fmt: skip


def test_settings_left_out_are_the_defaults_and_an_unknown_model_is_named() -> None:
    assert from_settings_message(settings_pb2.SimulationSettings()) == Settings()
    unknown = settings_pb2.SimulationSettings.FromString(b"\x18\x63")  # field 3, value 99
    with pytest.raises(ValueError, match="99 is unknown"):
        from_settings_message(unknown)


def test_a_passed_assessment_makes_one_job_however_often_its_event_arrives() -> None:
    office = Office()
    job = office.ingest(PASSED)
    assert job is not None
    assert (job.dedup_key, job.trigger, job.trace_parent) == (
        'event:["core", "e-1"]',
        Trigger.ASSESSMENT_COMPLETED,
        "tp",
    )
    assert office.ingest(PASSED) == job
    assert len(office.jobs()) == 1


@pytest.mark.parametrize("outcome", ["FAILED", "", "passed"])
def test_an_assessment_that_was_not_passed_makes_no_job(outcome: str) -> None:
    office = Office()
    assert office.ingest(replace(PASSED, outcome=outcome)) is None
    assert office.jobs() == []


@pytest.mark.parametrize(
    ("one", "another"), [(("core", "e-1"), ("other", "e-1")), (("urn:a", "b:1"), ("urn:a:b", "1"))]
)
def test_the_same_event_id_of_another_source_is_another_event(one: tuple[str, str], another: tuple[str, str]) -> None:
    office = Office()
    for source, event_id in (one, another):
        office.ingest(replace(PASSED, source=source, event_id=event_id))
    assert len(office.jobs()) == 2


def test_a_sweep_makes_a_job_for_every_active_account_on_every_page() -> None:
    office = Office()
    office.fund("a", "b", "c", "d", "e")
    office.core.accounts[account("c")] = replace(RECORD, status="CLOSED")
    assert office.swept(MONDAY) == SweepReport(seen=4, triggered=4, skipped=0)
    assert {job.subject.ref for job in office.jobs()} == {"a", "b", "d", "e"}
    assert {job.trigger for job in office.jobs()} == {Trigger.SCHEDULE}


def test_a_sweep_leaves_out_accounts_simulated_in_the_last_day() -> None:
    office = Office()
    office.fund("asked", "other")
    office.trigger(TriggerRequest(subject=account("asked"), settings=Settings(), trigger=Trigger.API))
    office.clock.advance(timedelta(hours=22))
    assert office.swept(MONDAY) == SweepReport(seen=2, triggered=1, skipped=1)


def test_a_sweep_repeated_for_the_same_time_makes_nothing_twice() -> None:
    office = Office()
    office.fund("a", "b")
    office.swept(MONDAY)
    for job in office.jobs():
        office.store.cancel(job.id)  # so that it no longer counts as simulated
    assert office.swept(MONDAY) == SweepReport(seen=2, triggered=0, skipped=2)
    assert len(office.jobs()) == 2


def test_sweeps_may_be_more_than_one_a_day() -> None:
    office = Office()
    office.sweep = replace(office.sweep, fresh_for=timedelta(hours=1))
    office.fund("a")
    office.swept(MONDAY)
    office.clock.advance(timedelta(hours=1))
    assert office.swept(MONDAY + timedelta(hours=1)) == SweepReport(seen=1, triggered=1, skipped=0)


def test_a_sweep_that_broke_off_goes_on_where_it_was() -> None:
    office = Office()
    office.fund("a", "b", "c")
    office.core.faults = [None, CoreServiceUnavailable("down")]
    with pytest.raises(CoreServiceUnavailable):
        office.swept(MONDAY)
    assert office.swept(MONDAY) == SweepReport(seen=3, triggered=1, skipped=2)
    assert len(office.jobs()) == 3


@pytest.mark.parametrize("late", [timedelta(0), timedelta(minutes=20), timedelta(hours=6)])
def test_daily_sweeps_reach_every_account_every_day_however_late_one_was(late: timedelta) -> None:
    office = Office()
    office.fund("a")
    monday = office.clock.now()
    office.clock.advance(late)
    office.swept(monday)
    office.clock.advance(DAY - late)
    assert office.swept(monday + DAY) == SweepReport(seen=1, triggered=1, skipped=0)


def test_a_time_that_comes_twice_when_the_clocks_are_changed_is_swept_once() -> None:
    office = Office()
    office.fund("a")
    due = office.clock.now()
    office.swept(due)
    office.clock.advance(timedelta(hours=1))
    assert office.swept(due + timedelta(hours=1)) == SweepReport(seen=1, triggered=0, skipped=1)


def test_a_bad_entry_is_left_out_and_the_other_accounts_on_every_page_are_swept() -> None:
    office = Office()
    pages = {
        "": AccountPage(ids=["a"], next_page_token="2"),
        "2": AccountPage(ids=["b", "c"], next_page_token="3", refused=["funded_accounts[1].id: '' instead of a text."]),
        "3": AccountPage(ids=["d"], next_page_token=""),
    }
    office.core.active_funded_accounts = pages.__getitem__  # type: ignore[method-assign]
    assert office.swept(MONDAY) == SweepReport(seen=5, triggered=4, skipped=0, refused=1)
    assert {job.subject.ref for job in office.jobs()} == {"a", "b", "c", "d"}


def test_an_account_whose_job_cannot_be_made_does_not_keep_the_others_out(caplog: pytest.LogCaptureFixture) -> None:
    office = Office()
    office.fund("a", "b", "c")
    key = f"schedule:funded-accounts:b:{MONDAY.isoformat(timespec='minutes')}"
    office.trigger(replace(REQUEST, dedup_key=key))
    assert office.swept(MONDAY) == SweepReport(seen=3, triggered=2, skipped=0, refused=1)
    [record] = [each for each in caplog.records if each.message == "sweep_account_refused"]
    assert record.account == "b"


def test_a_list_of_accounts_whose_pages_go_round_in_a_circle_is_refused() -> None:
    office = Office()
    office.core.active_funded_accounts = lambda _: AccountPage(ids=["a"], next_page_token="again")  # type: ignore[method-assign]
    with pytest.raises(CoreServiceInvalid, match="next_page_token"):
        office.swept(MONDAY)
    assert len(office.jobs()) == 1


def test_a_sweep_told_to_stop_ends_at_its_page() -> None:
    office = Office()
    office.fund("a", "b", "c")
    halt = Event()
    halt.set()
    with pytest.raises(SweepHalted):
        office.sweep(MONDAY, halt)
    assert (office.core.calls, office.jobs()) == (1, [])
