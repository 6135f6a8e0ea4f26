"""What the Core Service client makes of each answer, good and bad."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, strategies
from opentelemetry import trace

from mcsvc.adapters import core_service
from mcsvc.adapters.core_service import CoreServiceSettings, HttpCoreService
from mcsvc.domain.errors import CoreServiceInvalid, CoreServiceUnavailable, SubjectNotFound
from mcsvc.domain.subject import Subject, SubjectKind
from montecarlo.v1 import rules_pb2

ASSESSMENT = Subject(kind=SubjectKind.ASSESSMENT, ref="asm-1")
FUNDED = Subject(kind=SubjectKind.FUNDED_ACCOUNT, ref="acc-1")
RULES = {"starting_balance": "50000.00", "max_drawdown": {"kind": "DRAWDOWN_KIND_STATIC", "amount": "2500.00"}}
TRADE = {"closed_at": "2018-07-03T17:00:00Z", "pnl": "-12.50"}
PROBLEM = {"content-type": "application/problem+json"}


def client(answer: Callable[[httpx.Request], httpx.Response]) -> HttpCoreService:
    """A client whose network is a function."""
    settings = CoreServiceSettings(base_url="http://core.test/firm", token="s3cret")
    return HttpCoreService(settings, transport=httpx.MockTransport(answer))


def answering(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpCoreService:
    """A client that always gets this answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client(lambda request: httpx.Response(status, content=content, headers=headers))


def test_an_assessment_has_its_rules_and_its_outcome() -> None:
    record = answering({"id": "asm-1", "outcome": "PASSED", "rules": RULES}).account(ASSESSMENT)
    assert record.status == "PASSED"
    assert record.rules.max_drawdown.kind == rules_pb2.DRAWDOWN_KIND_STATIC
    assert record.rules.max_drawdown.amount == "2500.00"


def test_a_funded_account_stands_where_its_state_says() -> None:
    state = {"balance": "50120.00", "high_water_mark": "50900.00", "days_traded": 12}
    record = answering({"id": "acc-1", "status": "ACTIVE", "rules": RULES, "account": state}).account(FUNDED)
    assert record.state == rules_pb2.AccountState(balance="50120.00", high_water_mark="50900.00", days_traded=12)


@pytest.mark.parametrize("account", [{}, {"account": None}])
def test_an_account_without_state_is_fresh(account: dict[str, Any]) -> None:
    assert answering({"id": "acc-1", "status": "ACTIVE", "rules": RULES, **account}).account(FUNDED).state is None


def test_unknown_fields_outside_the_rules_are_ignored() -> None:
    body = {"id": "asm-1", "outcome": "FAILED", "rules": RULES, "desk": "Prague", "final_account": {"balance": "1"}}
    assert answering(body).account(ASSESSMENT).state is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rules": RULES | {"weekend_rule": {}}}, "weekend_rule"),
        ({"rules": RULES | {"breach": "SOMETIMES"}}, "breach"),
        ({"rules": {"currency": "USD"}}, "rules.starting_balance"),
        ({"rules": None}, "rules.starting_balance"),
        ({"rules": []}, "rules"),
        ({"account": {"high_water_mark": "1"}}, "account.balance"),
        ({"account": {"balance": "1", "mood": "good"}}, "mood"),
        ({"status": 5}, "status"),
        ({"id": "acc-2"}, "acc-2"),
    ],
)
def test_an_account_that_breaks_the_contract_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    body = {"id": "acc-1", "status": "ACTIVE", "rules": RULES} | change
    with pytest.raises(CoreServiceInvalid, match=named):
        answering(body).account(FUNDED)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"pnl": -12.5}, r"trades\[1\]\.pnl"),
        ({"pnl": "1e3"}, r"trades\[1\]\.pnl"),
        ({"pnl": "12,50"}, r"trades\[1\]\.pnl"),
        ({"pnl": "NaN"}, r"trades\[1\]\.pnl"),
        ({"pnl": ""}, r"trades\[1\]\.pnl"),
        ({"mae": "low"}, r"trades\[1\]\.mae"),
        ({"quantity": 3}, r"trades\[1\]\.quantity"),
        ({"instrument": 3}, r"trades\[1\]\.instrument"),
        ({"currency": "usd"}, r"trades\[1\]\.currency"),
        ({"currency": 840}, r"trades\[1\]\.currency"),
        ({"closed_at": "yesterday"}, r"trades\[1\]\.closed_at"),
        ({"closed_at": "2018-07-03T17:00:00"}, r"trades\[1\]\.closed_at"),
        ({"closed_at": None}, r"trades\[1\]\.closed_at"),
        ({"closed_at": "2018-02-30T17:00:00Z"}, r"trades\[1\]\.closed_at"),
        ({"closed_at": "2018-07-03T17:00:60Z"}, r"trades\[1\]\.closed_at"),
        ({"closed_at": "2018-07-03T17:00:00+24:00"}, r"trades\[1\]\.closed_at"),
        ({"closed_at": "2018-07-03T17:00:00.1234567890Z"}, r"trades\[1\]\.closed_at"),
        ({"closed_at": "0001-01-01T00:00:00+00:01"}, r"trades\[1\]\.closed_at"),
        ({"closed_at": "9999-12-31T23:59:59-00:01"}, r"trades\[1\]\.closed_at"),
        ({"opened_at": 1530637200}, r"trades\[1\]\.opened_at"),
    ],
)
def test_a_malformed_trade_is_refused_by_place_and_field(change: dict[str, Any], named: str) -> None:
    with pytest.raises(CoreServiceInvalid, match=named):
        answering({"trades": [TRADE, TRADE | change]}).trades(ASSESSMENT)


@pytest.mark.parametrize(
    ("body", "named"),
    [(b"<html>", "not JSON"), ([], "list"), ({}, "trades"), ({"trades": {}}, "trades"), ({"trades": [7]}, "trades")],
)
def test_a_body_of_another_form_is_refused(body: Any, named: str) -> None:
    with pytest.raises(CoreServiceInvalid, match=named):
        answering(body).trades(ASSESSMENT)


def test_all_pages_of_trades_come_by_close_time_with_every_field() -> None:
    late = {"closed_at": "2018-07-05T20:00:00+02:00", "pnl": "3", "opened_at": "2018-07-05T13:30:00Z", "mae": "-1.00"}
    late |= {"mfe": "4.50", "commission": "1.30", "instrument": "SPX5", "quantity": "2", "currency": "USD"}
    pages = {"": {"trades": [late], "next_page_token": "p2"}, "p2": {"trades": [TRADE], "next_page_token": ""}}
    trades = client(lambda request: httpx.Response(200, json=pages[request.url.params.get("page_token", "")])).trades(
        FUNDED
    )
    assert [trade.pnl for trade in trades] == ["-12.50", "3"]
    assert trades[1].closed_at.ToJsonString() == "2018-07-05T18:00:00Z"
    assert trades[1].opened_at.ToJsonString() == "2018-07-05T13:30:00Z"
    assert (trades[1].mae, trades[1].mfe, trades[1].commission) == ("-1.00", "4.50", "1.30")
    assert (trades[1].instrument, trades[1].quantity, trades[1].currency) == ("SPX5", "2", "USD")
    assert trades[0].currency == ""
    assert not trades[0].HasField("opened_at")


@given(
    at=strategies.datetimes(timezones=strategies.timezones(), allow_imaginary=False).filter(
        lambda at: at.utcoffset() % timedelta(minutes=1) == timedelta(0) and 1 < at.year < 9999  # type: ignore[operator]
    ),
    fraction=strategies.one_of(strategies.just(""), strategies.from_regex(r"\.[0-9]{1,9}", fullmatch=True)),
)
def test_times_are_those_that_protobuf_reads(at: datetime, fraction: str) -> None:
    text = at.replace(microsecond=0).isoformat()
    text = f"{text[:19]}{fraction}{text[19:]}"
    wanted = Timestamp()
    wanted.FromJsonString(text)

    [trade] = answering({"trades": [TRADE | {"closed_at": text, "opened_at": text}]}).trades(FUNDED)

    assert trade.closed_at == trade.opened_at == wanted


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
def test_a_packed_answer_is_unpacked(packing: str) -> None:
    plain = json.dumps({"trades": [TRADE]}).encode()
    packed = gzip.compress(plain) if packing == "gzip" else zlib.compress(plain)
    [trade] = answering(packed, headers={"content-encoding": packing}).trades(FUNDED)
    assert trade.pnl == "-12.50"


def test_an_answer_that_is_not_packed_as_it_says_is_worth_another_attempt() -> None:
    with pytest.raises(CoreServiceUnavailable, match="DecodingError"):
        client(
            lambda request: httpx.Response(200, stream=httpx.ByteStream(b"{}"), headers={"content-encoding": "gzip"})
        ).trades(FUNDED)


def test_a_list_whose_pages_go_round_in_a_circle_is_refused() -> None:
    with pytest.raises(CoreServiceInvalid, match="next_page_token"):
        answering({"trades": [TRADE], "next_page_token": "again"}).trades(ASSESSMENT)


def test_a_history_longer_than_the_api_takes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_service, "MAX_TRADES", 2)
    with pytest.raises(CoreServiceInvalid, match="latest"):
        answering({"trades": [TRADE] * 3}).trades(ASSESSMENT)


def test_only_active_accounts_are_asked_for_and_the_token_is_handed_on() -> None:
    asked: list[httpx.QueryParams] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params)
        return httpx.Response(200, json={"funded_accounts": [{"id": "acc-1"}], "next_page_token": "more"})

    page = client(answer).active_funded_accounts("here")
    assert (page.ids, page.next_page_token) == (["acc-1"], "more")
    assert (asked[0]["status"], asked[0]["page_token"]) == ("ACTIVE", "here")


@pytest.mark.parametrize("bad", [{"id": ""}, {"id": 7}, {}, "b", {"id": "x" * 129}, {"id": "a\x00b"}, {"id": "\ud800"}])
def test_a_bad_entry_of_the_list_is_refused_alone_by_its_place(bad: Any, caplog: pytest.LogCaptureFixture) -> None:
    page = answering({"funded_accounts": [{"id": "a"}, bad, {"id": "x" * 128}]}).active_funded_accounts("")
    assert page.ids == ["a", "x" * 128]
    [refused] = page.refused
    assert refused.startswith("funded_accounts[1]")
    assert [record.message for record in caplog.records] == ["funded_accounts_refused"]


def test_what_is_not_there_is_told_in_plain_words_and_quotes() -> None:
    account = Subject(kind=SubjectKind.FUNDED_ACCOUNT, ref="acc'")
    with pytest.raises(SubjectNotFound, match=r"""^No funded account "acc'" in the Core Service\. Check the id\.$"""):
        answering({"detail": "No account."}, 404, PROBLEM).account(account)


def test_an_unknown_subject_is_not_found() -> None:
    with pytest.raises(SubjectNotFound, match='No assessment "asm-1" in the Core Service'):
        answering({"detail": "No assessment."}, 404, PROBLEM).account(ASSESSMENT)


def test_a_404_of_a_proxy_is_not_taken_for_an_unknown_subject() -> None:
    with pytest.raises(CoreServiceUnavailable, match="CORE_SERVICE_URL"):
        answering(b"default backend", 404).account(ASSESSMENT)


def test_a_404_for_a_list_is_no_unknown_subject() -> None:
    with pytest.raises(CoreServiceUnavailable, match="CORE_SERVICE_URL"):
        answering({}, 404, PROBLEM).active_funded_accounts("")


@pytest.mark.parametrize(
    ("status", "away"),
    [(408, False), (425, True), (429, True), (500, False), (502, True), (503, True), (504, False)],
)
def test_overload_and_server_failures_are_worth_another_attempt(*, status: int, away: bool) -> None:
    with pytest.raises(CoreServiceUnavailable, match=str(status)) as caught:
        answering({}, status).trades(ASSESSMENT)
    assert caught.value.away == away


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_names_the_variable_and_never_the_token(status: int) -> None:
    with pytest.raises(CoreServiceUnavailable, match=r"Check MCSVC_CORE_SERVICE_TOKEN\.") as caught:
        answering({}, status).account(FUNDED)
    assert "s3cret" not in str(caught.value)
    assert caught.value.away


@pytest.mark.parametrize("status", [302, 400, 405, 422])
def test_what_another_attempt_would_not_mend_is_invalid(status: int) -> None:
    with pytest.raises(CoreServiceInvalid, match="page_size is off"):
        answering({"detail": "page_size is off"}, status, PROBLEM).trades(ASSESSMENT)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, timedelta(seconds=7)),
        ({"retry-after": "999999999999"}, timedelta(days=1)),
        (
            {"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"},
            timedelta(seconds=30),
        ),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 09:00:00 GMT"}, timedelta(0)),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_the_asked_wait_is_handed_on(headers: dict[str, str], wait: timedelta | None) -> None:
    with pytest.raises(CoreServiceUnavailable) as caught:
        answering({}, 503, headers).ping()
    assert caught.value.retry_after == wait


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (httpx.ConnectError("refused"), True),
        (httpx.ConnectTimeout("silent"), True),
        (httpx.ReadTimeout("slow"), False),
        (httpx.RemoteProtocolError("cut off"), False),
    ],
)
def test_no_answer_is_worth_another_attempt(*, error: httpx.RequestError, away: bool) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(CoreServiceUnavailable, match=str(error)) as caught:
        client(answer).account(ASSESSMENT)
    assert caught.value.away == away


def test_every_call_carries_the_token_and_the_trace() -> None:
    heads: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        heads.append(request.headers)
        return httpx.Response(200, json={"trades": []})

    context = trace.SpanContext(trace_id=0xABC, span_id=0xDEF, is_remote=False, trace_flags=trace.TraceFlags(1))
    with trace.use_span(trace.NonRecordingSpan(context)):
        client(answer).trades(ASSESSMENT)
    assert heads[0]["authorization"] == "Bearer s3cret"
    assert heads[0]["traceparent"].split("-")[1] == f"{0xABC:032x}"


def test_an_id_cannot_reach_another_path() -> None:
    asked: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path)
        return httpx.Response(200, json={"id": "../x?y#z", "outcome": "PASSED", "rules": RULES})

    client(answer).account(Subject(kind=SubjectKind.ASSESSMENT, ref="../x?y#z"))
    assert asked == [b"/firm/v1/assessments/..%2Fx%3Fy%23z"]


@pytest.mark.parametrize("ref", ["", ".", ".."])
def test_an_id_of_dots_is_unknown_without_a_call(ref: str) -> None:
    with pytest.raises(SubjectNotFound):
        answering({}, 500).account(Subject(kind=SubjectKind.FUNDED_ACCOUNT, ref=ref))


def test_an_inline_subject_is_never_asked_for() -> None:
    with pytest.raises(ValueError, match="inline"):
        answering({}).account(Subject(kind=SubjectKind.INLINE, ref="0" * 64))


def test_the_settings_do_not_show_the_token() -> None:
    assert "s3cret" not in repr(CoreServiceSettings(base_url="http://core.test", token="s3cret"))
