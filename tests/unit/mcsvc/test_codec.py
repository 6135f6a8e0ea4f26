"""Requests decoded and checked, jobs encoded: filters, page tokens, limits."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcsvc.app.snapshot import store_form
from mcsvc.domain.errors import InvalidRequest, Violation
from mcsvc.domain.job import Failure, JobId, Progress, State, Trigger
from mcsvc.domain.subject import Model, SubjectKind
from mcsvc.entrypoints.api import fields
from mcsvc.entrypoints.api.filters import parse_filter
from mcsvc.entrypoints.api.paging import decode_token, encode_token, page_size
from mcsvc.entrypoints.api.problems import classify
from mcsvc.entrypoints.api.simulations import encode_simulation
from mcsvc.entrypoints.api.trigger_requests import MAX_TRADES, decode_trigger
from mcsvc.ports.job_store import Cursor, JobFilter
from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import result_pb2, settings_pb2, simulation_pb2
from montecarlo.v1 import simulation_service_pb2 as pb
from tests.mcsvc_harness import System


def violations(request: pb.TriggerSimulationRequest) -> list[str]:
    with pytest.raises(InvalidRequest) as caught:
        decode_trigger(request, trace_parent="")
    return [violation.field for violation in caught.value.violations]


def inline(count: int = 2) -> pb.TriggerSimulationRequest:
    request = pb.TriggerSimulationRequest()
    request.subject.inline.rules.starting_balance = "50000.00"
    for index in range(count):
        trade = request.subject.inline.trades.add(pnl="-12.50")
        trade.closed_at.seconds = 1_700_000_000 + index
    return request


def test_a_filter_selects_by_every_field() -> None:
    text = (
        'state = FAILED AND trigger=SIMULATION_TRIGGER_SCHEDULE AND assessment_id = "a \\"b\\" \\\\" AND '
        'create_time >= "2026-01-01T00:00:00Z" AND create_time < "2026-02-01T01:00:00+01:00"'
    )
    assert parse_filter(text) == JobFilter(
        state=State.FAILED,
        trigger=Trigger.SCHEDULE,
        assessment_id='a "b" \\',
        created_from=datetime(2026, 1, 1, tzinfo=UTC),
        created_before=datetime(2026, 2, 1, tzinfo=UTC),
    )
    assert parse_filter("  ") == JobFilter()


@pytest.mark.parametrize(
    "text",
    [
        "state",
        "state = ",
        "state = LOST",
        "state != FAILED",
        "state = FAILED OR state = PENDING",
        "state = FAILED state = PENDING",
        "state = FAILED AND",
        "state = FAILED and trigger = API",
        "assessment_id = 'a'",
        "state = FAILED AND state = FAILED",
        "NOT state = FAILED",
        "(state = FAILED)",
        "owner = me",
        'assessment_id = "open',
        "create_time = 2026",
        "create_time > yesterday",
        'create_time > "2026-01-01T00:00:00"',
        'create_time > "0001-01-01T00:00:00+23:59"',
        "assessment_id = \x00",
        "state = FAILED AND " * 200,
    ],
)
def test_a_filter_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_filter(text)
    assert [violation.field for violation in caught.value.violations] == ["filter"]


def test_states_and_triggers_are_understood_as_a_list_shows_them() -> None:
    assert parse_filter("state = failed AND trigger = api") == JobFilter(state=State.FAILED, trigger=Trigger.API)


@given(st.text(max_size=60))
def test_no_filter_breaks_the_parser(text: str) -> None:
    with suppress(InvalidRequest):
        parse_filter(text)


@given(st.datetimes(timezones=st.just(UTC)), st.uuids(), st.text(max_size=20))
def test_a_page_token_returns_where_it_was_made(time: datetime, uuid: UUID, text: str) -> None:
    cursor = Cursor(create_time=time, id=JobId(uuid))
    assert decode_token(encode_token(cursor, text), text) == cursor


def test_a_page_token_is_refused_with_another_filter() -> None:
    cursor = Cursor(create_time=datetime(2026, 1, 1, tzinfo=UTC), id=JobId(uuid4()))
    token = encode_token(cursor, "state = FAILED")
    assert decode_token(token, " state = FAILED ") == cursor
    with pytest.raises(InvalidRequest, match="another filter"):
        decode_token(token, "state = PENDING")


@pytest.mark.parametrize(
    "token", ["x", "bnVsbA", "W10", "WzEsMiwzXQ", "é", "e30", "A" * 600, "WyIyMDI2IiwgImEiLCAiYiJd"]
)
def test_a_forged_page_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequest):
        decode_token(token, "")


def test_no_token_is_the_first_page() -> None:
    assert decode_token("", "any") is None
    assert encode_token(None, "any") == ""


def test_page_sizes_have_a_default_and_a_most() -> None:
    assert [page_size(asked) for asked in (0, 1, 1000, 5000)] == [50, 1, 1000, 1000]
    with pytest.raises(InvalidRequest):
        page_size(-1)


def test_an_assessment_is_asked_for_by_its_id() -> None:
    request = pb.TriggerSimulationRequest(request_id="r-1")
    request.subject.assessment_id = "A-7"
    request.settings.model = settings_pb2.RESAMPLING_MODEL_IID
    request.settings.seed = 0
    asked = decode_trigger(request, trace_parent="00-x")
    assert (asked.subject.kind, asked.subject.ref) == (SubjectKind.ASSESSMENT, "A-7")
    assert (asked.settings.model, asked.settings.seed) == (Model.IID, 0)
    assert (asked.request_id, asked.trace_parent, asked.trigger) == ("r-1", "00-x", Trigger.API)


def test_an_inline_input_becomes_its_snapshot() -> None:
    request = inline()
    request.settings.paths = 1000
    asked = decode_trigger(request, trace_parent="")
    assert asked.inline is not None
    assert asked.subject.ref == asked.inline.digest
    stored = engine_pb2.SimulateInput.FromString(asked.inline.data)
    assert len(stored.trades) == 2
    assert stored.settings.paths == 1000
    assert not stored.HasField("account")


def test_a_request_without_a_subject_is_refused() -> None:
    assert violations(pb.TriggerSimulationRequest()) == ["subject"]


def test_every_bad_field_is_named_at_once() -> None:
    request = inline()
    request.request_id = "x" * 129
    request.subject.inline.rules.starting_balance = "50k"
    request.subject.inline.account.balance = ""
    request.subject.inline.trades[1].ClearField("closed_at")
    request.subject.inline.trades[1].pnl = "NaN"
    request.settings.paths = -1
    request.settings.horizon_days = 10_001
    request.settings.block_length = 0.5
    request.settings.stress.MergeFrom(settings_pb2.Stress(volatility_factor=20, loss_factor=math.nan, fewer_winners=2))
    request.settings.stress.cost_per_trade = "-1"
    request.settings.scenarios.add(name="dear", stress=settings_pb2.Stress(cost_per_trade="1e400"))
    request.settings.model = 99  # type: ignore[assignment]  # a model of a later version
    assert violations(request) == [
        "request_id",
        "subject.inline.rules.starting_balance",
        "subject.inline.account.balance",
        "subject.inline.trades[1].closed_at",
        "subject.inline.trades[1].pnl",
        "settings.paths",
        "settings.horizon_days",
        "settings.model",
        "settings.block_length",
        "settings.stress.volatility_factor",
        "settings.stress.loss_factor",
        "settings.stress.cost_per_trade",
        "settings.stress.fewer_winners",
        "settings.scenarios[0].stress.cost_per_trade",
    ]


def test_what_only_a_later_version_knows_is_refused_and_not_left_out() -> None:
    request = inline()
    later = b"\xfa\x01\x03abc"  # field 31
    request.subject.inline.rules.MergeFromString(later)
    request.subject.inline.rules.max_drawdown.kind = 99  # type: ignore[assignment]
    request.subject.inline.rules.max_drawdown.MergeFromString(later)
    request.settings.scenarios.add(name="a", limits_factor=0.5).MergeFromString(later)
    assert violations(request) == [
        "subject.inline.rules",
        "subject.inline.rules.max_drawdown",
        "subject.inline.rules.max_drawdown.kind",
        "settings.scenarios[0]",
    ]


MODELS = settings_pb2.ResamplingModel


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (settings_pb2.SimulationSettings(rare_events=99), "rare_events"),  # type: ignore[arg-type]
        (settings_pb2.SimulationSettings(block_length=3, model=MODELS.RESAMPLING_MODEL_IID), "block_length"),
        (settings_pb2.SimulationSettings(block_length=2.5, model=MODELS.RESAMPLING_MODEL_CIRCULAR), "block_length"),
        (settings_pb2.SimulationSettings(scenarios=[{"name": "a\nb", "limits_factor": 0.5}]), "scenarios[0].name"),
        (
            settings_pb2.SimulationSettings(estimation_risk={"paths_per_history": 512}),
            "estimation_risk.histories",
        ),
    ],
)
def test_settings_that_the_engine_would_refuse_are_refused_before_a_job_is_made(
    settings: settings_pb2.SimulationSettings, field: str
) -> None:
    request = inline()
    request.settings.CopyFrom(settings)
    assert violations(request) == [f"settings.{field}"]


@pytest.mark.parametrize("amount", ["1.", ".5", "١٢", "1e3", " 1"])
def test_amounts_are_plain_decimals(amount: str) -> None:
    request = inline()
    request.subject.inline.trades[1].pnl = amount
    assert violations(request) == ["subject.inline.trades[1].pnl"]


@pytest.mark.parametrize("field", ["closed_at", "opened_at"])
@pytest.mark.parametrize(("seconds", "nanos"), [(1, -1), (1, 2_000_000_000), (2**62, 0), (-(2**62), 0)])
def test_times_of_trades_are_times(field: str, seconds: int, nanos: int) -> None:
    request = inline()
    trade = request.subject.inline.trades[1]
    getattr(trade, field).FromNanoseconds(0)
    getattr(trade, field).seconds, getattr(trade, field).nanos = seconds, nanos
    assert f"subject.inline.trades[1].{field}" in violations(request)


def test_bad_trades_of_which_the_same_is_said_are_told_together() -> None:
    request = inline(30)
    for trade in request.subject.inline.trades:
        trade.ClearField("closed_at")
    with pytest.raises(InvalidRequest) as caught:
        decode_trigger(request, trace_parent="")
    at = "subject.inline.trades"
    said = "give the time the trade was closed"
    assert str(caught.value) == f"{at}[0].closed_at, {at}[1].closed_at, {at}[2].closed_at and 27 more: {said}"


def test_many_bad_trades_leave_room_for_other_bad_fields() -> None:
    request = inline(200)
    for trade in request.subject.inline.trades:
        trade.pnl = "much"
    request.settings.paths = -1
    with pytest.raises(InvalidRequest) as caught:
        decode_trigger(request, trace_parent="")
    named = [each.field for each in classify(caught.value).violations]
    assert named == [*(f"subject.inline.trades[{each}].pnl" for each in range(3)), "settings.paths"]


def test_beyond_a_limit_bad_fields_are_no_longer_kept_but_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "_KEPT", 5)
    request = inline(8)
    for trade in request.subject.inline.trades:
        trade.pnl = "much"
    with pytest.raises(
        InvalidRequest, match=r" and 2 more: give a decimal .*; others: 3 more fields are bad$"
    ) as caught:
        decode_trigger(request, trace_parent="")
    assert len(caught.value.violations) == 5


def test_of_many_bad_fields_the_first_are_told_and_the_others_counted() -> None:
    bad = [Violation(field=f"settings.scenarios[{each}].name", description=f"{each} is odd") for each in range(25)]
    *told, last = str(InvalidRequest(bad)).split("; ")
    assert len(told) == len(classify(InvalidRequest(bad)).violations) == 20
    assert last == "others: 5 more fields are bad"
    assert str(InvalidRequest(bad[:21])).endswith("; others: 1 more field is bad")


def test_a_missing_amount_and_a_trade_opened_after_its_close_are_told() -> None:
    request = inline()
    request.subject.inline.account.SetInParent()
    trade = request.subject.inline.trades[1]
    trade.opened_at.CopyFrom(trade.closed_at)
    assert violations(request) == ["subject.inline.account.balance"]
    trade.opened_at.nanos += 1
    with pytest.raises(InvalidRequest) as caught:
        decode_trigger(request, trace_parent="")
    missing, late = caught.value.violations
    assert missing.description.startswith("is missing: give a decimal number")
    assert (late.field, late.description[:25]) == ("subject.inline.trades[1].opened_at", "is later than closed_at: ")


def test_an_account_in_a_currency_that_is_none_is_refused_by_its_field() -> None:
    request = inline()
    request.subject.inline.rules.currency = "UDS"
    with pytest.raises(InvalidRequest) as caught:
        decode_trigger(request, trace_parent="")
    [found] = caught.value.violations
    assert found.field == "subject.inline.rules.currency"
    assert found.description == "'UDS' is not a currency code of ISO 4217: did you mean USD?"


@pytest.mark.parametrize("account", ["", "EUR"])
def test_a_trade_in_another_currency_than_the_account_is_refused(account: str) -> None:
    request = inline(3)
    request.subject.inline.rules.currency = account
    for trade, currency in zip(request.subject.inline.trades, ("", "USD", "EUR"), strict=True):
        trade.currency = currency
    with pytest.raises(InvalidRequest) as caught:
        decode_trigger(request, trace_parent="")
    [found] = caught.value.violations
    bad, ours = (1, "EUR") if account else (2, "USD")
    assert found.field == f"subject.inline.trades[{bad}].currency"
    assert f"is not the account's currency, {ours}: convert the amounts to {ours}, or leave it out" in found.description


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"precision": [{"outcome": "won", "half_width": 0.1}]}, "settings.precision[0].outcome"),
        ({"precision": [{"outcome": "passed", "half_width": 1}]}, "settings.precision[0].half_width"),
        ({"scenarios": [{"name": " ", "limits_factor": 2}]}, "settings.scenarios[0].name"),
        ({"scenarios": [{"name": "a", "limits_factor": 20}]}, "settings.scenarios[0].limits_factor"),
        ({"scenarios": [{"name": "a"}]}, "settings.scenarios[0]"),
        ({"scenarios": [{"name": str(i), "limits_factor": 2} for i in range(17)]}, "settings.scenarios"),
        ({"estimation_risk": {"histories": 5}}, "settings.estimation_risk.histories"),
        ({"estimation_risk": {"histories": 20, "paths_per_history": 9}}, "settings.estimation_risk.paths_per_history"),
        ({"time_budget_s": -1}, "settings.time_budget_s"),
        ({"as_of": {"seconds": 10**13}}, "settings.as_of"),
    ],
)
def test_settings_that_no_simulation_could_have_are_refused(settings: dict[str, Any], field: str) -> None:
    request = inline()
    request.settings.CopyFrom(settings_pb2.SimulationSettings(**settings))
    assert violations(request) == [field]


def test_an_inline_input_without_rules_or_trades_is_refused() -> None:
    request = pb.TriggerSimulationRequest()
    request.subject.inline.SetInParent()
    assert violations(request) == ["subject.inline.trades", "subject.inline.rules.starting_balance"]


def test_too_many_trades_are_refused() -> None:
    assert violations(inline(MAX_TRADES + 1)) == ["subject.inline.trades"]


@pytest.mark.parametrize("bad", ["", "x" * 129, "a\nb", "\x00"])
def test_ids_are_printable_and_short(bad: str) -> None:
    request = pb.TriggerSimulationRequest()
    request.subject.funded_account_id = bad
    assert violations(request) == ["subject.funded_account_id"]


def test_a_job_is_shown_by_what_its_state_allows() -> None:
    job = System().job()
    result = store_form(result_pb2.SimulationResult(paths=7))
    failure = Failure(code="ENGINE_UNAVAILABLE", message="gone")
    now = job.create_time + timedelta(seconds=1)

    waiting = encode_simulation(job, result)
    assert waiting.state == simulation_pb2.SIMULATION_STATE_PENDING
    assert not any(waiting.HasField(name) for name in ("result", "progress", "error", "start_time", "finish_time"))

    progress = Progress(paths_done=1, paths_total=2)
    running = encode_simulation(replace(job, state=State.RUNNING, start_time=now, progress=progress, failure=failure))
    assert (running.progress.paths_done, running.error.code) == (1, "ENGINE_UNAVAILABLE")

    done = replace(job, state=State.SUCCEEDED, finish_time=now, failure=None)
    assert encode_simulation(done, result).result.paths == 7
    assert not encode_simulation(done).HasField("result")
    assert not encode_simulation(replace(job, state=State.CANCELLED, failure=failure)).HasField("error")
