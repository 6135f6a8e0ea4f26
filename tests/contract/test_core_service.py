"""The Core Service client and the sample Core Service keep the same contract, over a real loopback socket."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from queue import Queue
from threading import Event, Thread

import httpx
import pytest
import yaml

from mcsvc.adapters.core_service import CoreServiceSettings, HttpCoreService
from mcsvc.devstack.core_service_data import SAMPLES
from mcsvc.domain.errors import CoreServiceUnavailable, SubjectNotFound
from mcsvc.domain.subject import Subject, SubjectKind

INDEX = yaml.safe_load((SAMPLES / "accounts.yaml").read_text())
PAGE = Path(__file__).resolve().parents[2] / "docs" / "core-service.md"
ASSESSMENTS = {entry["id"]: entry for entry in INDEX["assessments"]}
FUNDED = {entry["id"]: entry for entry in INDEX["funded_accounts"]}
STEADY = Subject(kind=SubjectKind.ASSESSMENT, ref="asm-steady-001")


@contextmanager
def server(*arguments: str, token: str = "") -> Iterator[str]:
    """A sample Core Service of its own; checks that it ends well and said nothing but where it is."""
    command = [sys.executable, "-m", "mcsvc.devstack.core_service", "--port", "0", *arguments]
    env = os.environ | {"CORE_SERVICE_TOKEN": token}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        try:
            ready = process.stdout.readline()
            assert ready.startswith("ready http://127.0.0.1:")
            yield ready.split()[1]
        finally:
            process.send_signal(signal.SIGTERM)
            said, complained = process.communicate(timeout=20)
    assert (process.returncode, said, complained) == (0, "", "")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with server() as address:
        yield address


@contextmanager
def client(
    url: str, *, page_size: int = 1000, token: str = "", read_s: float = 10, answer_s: float = 60
) -> Iterator[HttpCoreService]:
    """A client that is closed at the end."""
    settings = CoreServiceSettings(
        base_url=url,
        page_size=page_size,
        token=token,
        read_timeout=timedelta(seconds=read_s),
        answer_timeout=timedelta(seconds=answer_s),
    )
    core = HttpCoreService(settings)
    try:
        yield core
    finally:
        core.close()


@pytest.mark.parametrize("ref", ASSESSMENTS)
def test_an_assessment_is_simulated_afresh_once_it_has_ended(url: str, ref: str) -> None:
    with client(url) as core:
        record = core.account(Subject(kind=SubjectKind.ASSESSMENT, ref=ref))
    assert record.status == ASSESSMENTS[ref]["outcome"]
    assert record.rules.profit_target.WhichOneof("target")
    assert (record.state is None) == (record.status != "IN_PROGRESS")


@pytest.mark.parametrize("ref", FUNDED)
def test_a_funded_account_is_simulated_from_where_it_stands(url: str, ref: str) -> None:
    with client(url) as core:
        record = core.account(Subject(kind=SubjectKind.FUNDED_ACCOUNT, ref=ref))
    assert record.status == FUNDED[ref]["status"]
    assert not record.rules.HasField("profit_target")
    assert record.state is not None
    assert record.state.balance == FUNDED[ref]["account"]["balance"]
    assert record.state.days_traded == FUNDED[ref]["account"]["days_traded"]


@pytest.mark.parametrize("page_size", [7, 1000])
def test_trades_are_whole_and_in_order_whatever_the_page_size(url: str, page_size: int) -> None:
    with client(url, page_size=page_size) as core:
        trades = core.trades(STEADY)
    with (SAMPLES / "trades" / "steady.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["closed_at"] <= ASSESSMENTS[STEADY.ref]["trades_until"]]
    found = [
        {
            "closed_at": trade.closed_at.ToJsonString(),
            "pnl": trade.pnl,
            "opened_at": trade.opened_at.ToJsonString(),
            "mae": trade.mae,
            "mfe": trade.mfe,
            "commission": trade.commission,
            "instrument": trade.instrument,
            "quantity": trade.quantity,
        }
        for trade in trades
    ]
    assert found == rows
    assert len(rows) > 50


def test_the_currency_of_a_trade_comes_with_it(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES, tmp_path / "data")
    path = tmp_path / "data" / "trades" / "steady.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([f"{header},currency", *(f"{row},USD" for row in rows)]), encoding="utf-8")
    with server("--data", str(tmp_path / "data")) as address, client(address) as core:
        assert {trade.currency for trade in core.trades(STEADY)} == {"USD"}
        lucky = core.trades(Subject(kind=SubjectKind.ASSESSMENT, ref="asm-lucky-001"))
    assert {trade.currency for trade in lucky} == {""}


def test_a_funded_account_has_the_trades_of_its_assessment_and_more(url: str) -> None:
    with client(url) as core:
        before = core.trades(STEADY)
        after = core.trades(Subject(kind=SubjectKind.FUNDED_ACCOUNT, ref="acc-steady-001"))
    assert after[: len(before)] == before
    assert len(after) > len(before)


def test_who_asks_a_client_that_is_closed_is_told_so(url: str) -> None:
    with client(url) as core:
        pass
    with pytest.raises(CoreServiceUnavailable, match="closed meanwhile"):
        core.account(STEADY)


def test_active_funded_accounts_come_page_by_page_and_no_other(url: str) -> None:
    found: list[str] = []
    with client(url, page_size=2) as core:
        page = core.active_funded_accounts("")
        found += page.ids
        while page.next_page_token:
            assert len(page.ids) == 2
            page = core.active_funded_accounts(page.next_page_token)
            found += page.ids
    assert sorted(found) == sorted(ref for ref, entry in FUNDED.items() if entry["status"] == "ACTIVE")
    assert len(found) >= 5


@pytest.mark.parametrize("kind", [SubjectKind.ASSESSMENT, SubjectKind.FUNDED_ACCOUNT])
@pytest.mark.parametrize("ref", ["nobody", "a/b", "ü x", "..%2F"])
def test_an_unknown_id_is_not_found(url: str, kind: SubjectKind, ref: str) -> None:
    subject = Subject(kind=kind, ref=ref)
    with client(url) as core:
        with pytest.raises(SubjectNotFound):
            core.account(subject)
        with pytest.raises(SubjectNotFound):
            core.trades(subject)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page_size": "0"}, "page_size"),
        ({"page_size": "1001"}, "page_size"),
        ({"page_size": "٣"}, "page_size"),
        ({"page_size": "9" * 5000}, "page_size"),
        ({"page_token": "made up"}, "page_token"),
        ({"page_token": "WzEsMl0"}, "page_token"),
        ({"status": "active"}, "status"),
    ],
)
def test_a_bad_parameter_is_answered_with_a_problem_that_names_it(url: str, query: dict[str, str], field: str) -> None:
    response = httpx.get(f"{url}/v1/funded-accounts", params=query, trust_env=False)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in response.json()["errors"]] == [field]


def test_a_page_token_is_good_for_its_own_list_only(url: str) -> None:
    with httpx.Client(base_url=f"{url}/v1/assessments", trust_env=False) as raw:
        token = raw.get("/asm-steady-001/trades", params={"page_size": 1}).json()["next_page_token"]
        response = raw.get("/asm-lucky-001/trades", params={"page_token": token})
    assert response.json()["errors"][0]["field"] == "page_token"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v2/assessments/x", 404), ("POST", "/health", 405)])
def test_what_is_not_in_the_contract_is_a_problem_too(url: str, method: str, path: str, status: int) -> None:
    response = httpx.request(method, url + path, trust_env=False)
    assert (response.status_code, response.json()["status"]) == (status, status)
    assert response.headers["content-type"] == "application/problem+json"


def test_an_overloaded_service_says_how_long_to_wait_and_then_answers() -> None:
    with server("--fail-first", "2", "--retry-after-s", "3") as address, client(address) as core:
        core.ping()
        for _ in range(2):
            with pytest.raises(CoreServiceUnavailable) as caught:
                core.account(STEADY)
            assert caught.value.retry_after == timedelta(seconds=3)
        assert core.account(STEADY).status == "PASSED"


def test_a_service_with_a_token_answers_only_who_brings_it() -> None:
    with server(token="s3cret") as address:
        with client(address) as core, pytest.raises(CoreServiceUnavailable, match="MCSVC_CORE_SERVICE_TOKEN"):
            core.account(STEADY)
        with (
            client(address, token="wrong") as core,
            pytest.raises(CoreServiceUnavailable, match="MCSVC_CORE_SERVICE_TOKEN"),
        ):
            core.account(STEADY)
        with client(address, token="s3cret") as core:
            assert core.account(STEADY).status == "PASSED"
        with client(address) as core:
            core.ping()


def test_a_service_that_accepts_but_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with client(address, read_s=0.1) as core, pytest.raises(CoreServiceUnavailable, match="ReadTimeout"):
            core.account(STEADY)


class Enough(Exception):
    """The caller of the test has waited long enough."""


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
DRIPS = {
    "body": (OK + b"Content-Length: 999999999\r\n\r\n{", b" "),
    "headers": (OK + b"X-Slow: ", b"a"),
    "hints": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
}


@contextmanager
def dripping(kind: str) -> Iterator[tuple[str, Event, Event]]:
    """A server whose one answer comes drop by drop and never ends, and the events of a client having asked and left."""
    asked, left, (first, drop) = Event(), Event(), DRIPS[kind]

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, suppress(ConnectionError):
            connection.recv(65536)
            connection.sendall(first)
            asked.set()
            while not left.wait(0.005):  # much at once would be refused as too long
                connection.sendall(drop)
        left.set()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked, left


@pytest.mark.parametrize("kind", DRIPS)
@pytest.mark.parametrize("ask", [HttpCoreService.account, HttpCoreService.trades])
def test_an_answer_that_drips_is_left_when_its_caller_may_not_go_on(ask: Callable[..., object], kind: str) -> None:
    asked: list[int] = []

    def may_go_on() -> None:
        asked.append(1)
        if len(asked) == 4:
            raise Enough

    with dripping(kind) as (address, _, left), client(address) as core:
        with pytest.raises(Enough):
            ask(core, STEADY, may_go_on=may_go_on)
        assert left.wait(10), "the connection is still open"


@pytest.mark.parametrize("kind", DRIPS)
@pytest.mark.parametrize("ask", [HttpCoreService.ping, lambda core: core.active_funded_accounts("")])
def test_an_answer_that_drips_is_left_when_it_is_not_whole_in_time(ask: Callable[..., object], kind: str) -> None:
    with dripping(kind) as (address, _, left), client(address, answer_s=0.5) as core:
        with pytest.raises(CoreServiceUnavailable, match=r"not whole within 0\.5 s"):
            ask(core)
        assert left.wait(10), "the connection is still open"


def test_a_client_that_is_closed_leaves_whoever_waits(caplog: pytest.LogCaptureFixture) -> None:
    raised: Queue[Exception] = Queue()

    def ask() -> None:
        try:
            core.ping()
        except CoreServiceUnavailable as error:
            raised.put(error)

    with dripping("headers") as (address, asked, left), client(address) as core:
        waiting = Thread(target=ask, daemon=True)
        waiting.start()
        assert asked.wait(10)
        core.close()
        assert "closed meanwhile" in str(raised.get(timeout=10))
        assert left.wait(10), "the connection is still open"
    assert not caplog.records


def test_whoever_may_not_go_on_asks_for_no_further_page(url: str) -> None:
    asked: list[int] = []

    def may_go_on() -> None:
        asked.append(1)
        if len(asked) == 5:
            raise Enough

    with client(url, page_size=1) as core, pytest.raises(Enough):
        core.trades(STEADY, may_go_on=may_go_on)


def test_a_service_that_is_not_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    with client(f"http://127.0.0.1:{port}") as core, pytest.raises(CoreServiceUnavailable, match="CORE_SERVICE_URL"):
        core.ping()


def test_a_service_on_this_machine_is_reached_past_the_proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with client(url) as core:
        core.ping()


def test_the_answers_shown_in_the_documentation_are_the_answers_given(url: str) -> None:
    shown = [
        json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    ]
    calls = (
        "/v1/assessments/asm-short-history-001",
        "/v1/funded-accounts/acc-steady-001",
        "/v1/assessments/asm-lucky-001/trades?page_size=1",
        "/v1/funded-accounts?status=ACTIVE&page_size=2",
        "/v1/funded-accounts?page_size=0",
    )
    assert shown == [httpx.get(url + call, trust_env=False).json() for call in calls]


def test_a_stop_does_not_wait_for_idle_connections() -> None:
    with server() as address:
        idle = httpx.Client(base_url=address, trust_env=False)
        assert idle.get("/health").status_code == 200
    idle.close()
