"""The HTTP API over a real loopback port: ProtoJSON, problem+json, health, readiness and metrics."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from threading import Event, Semaphore
from typing import NoReturn
from uuid import uuid4

import httpx
import pytest
from google.protobuf import json_format

from mcsvc.domain.errors import EngineUnavailable, EventBusUnavailable, StoreUnavailable
from mcsvc.domain.job import JobId
from mcsvc.entrypoints.http.app import HttpApi
from mcsvc.entrypoints.http.server import HttpServer
from mcsvc.entrypoints.monitor import Dependency, Health, Monitor
from montecarlo.v1 import settings_pb2, simulation_pb2
from tests.mcsvc_harness import WAIT_S, Recorder, System

THREADS = 40
"""Of Starlette, for all calls."""


class Pings:
    """Two dependencies that can be switched off."""

    def __init__(self) -> None:
        self.database_up = self.engine_up = True

    def database(self) -> None:
        if not self.database_up:
            raise StoreUnavailable("no database")

    def engine(self) -> None:
        if not self.engine_up:
            raise EngineUnavailable("no engine")


class Served:
    """The HTTP API on a loopback port."""

    def __init__(self, system: System | None = None) -> None:
        self.system = system or System()
        self.pings = Pings()
        self.monitor = Monitor(
            [
                Dependency(name="database", ping=self.pings.database, required=True),
                Dependency(name="engine", ping=self.pings.engine),
            ],
            self.system.recorder.metrics,
        )
        recorder: Recorder = self.system.recorder
        api = HttpApi(
            use=self.system.use,
            monitor=self.monitor,
            prometheus=lambda: b"up 1\n",
            tracer=recorder.tracer,
            metrics=recorder.metrics,
        )
        self.server = HttpServer(api.app(), host="127.0.0.1", port=0)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.server.port}", timeout=WAIT_S)


@pytest.fixture
def served() -> Iterator[Served]:
    """A running HTTP server."""
    with running(Served()) as served:
        yield served


@contextmanager
def running(served: Served) -> Iterator[Served]:
    """Starts and stops the server."""
    served.server.start()
    with served.client:
        yield served
    served.server.ask_to_stop()
    assert served.server.join(timedelta(seconds=WAIT_S))


def test_a_job_is_made_found_and_listed(served: Served) -> None:
    made = served.client.post("/simulations", json={"subject": {"assessment_id": "A-1"}, "settings": {"paths": "10"}})
    assert made.status_code == 201
    job = json_format.Parse(made.text, simulation_pb2.Simulation())
    assert "create_time" in made.json()
    assert json_format.Parse(served.client.get(f"/simulations/{job.id}").text, simulation_pb2.Simulation()) == job
    listed = served.client.get("/simulations", params={"assessment_id": "A-1", "state": "PENDING", "page_size": 1})
    assert [each["id"] for each in listed.json()["simulations"]] == [job.id]
    empty = served.client.get("/simulations", params={"assessment_id": 'A"2'}).json()
    assert empty == {"simulations": [], "next_page_token": ""}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("{", "body"),
        ("[" * 5000, "body"),
        ("7", "body"),
        ('{"owner": "me"}', "body"),
        ("{}", "subject"),
        ('{"subject": 7}', "subject"),
        ('{"settings": {"owner": "me"}}', "settings"),
        ('{"settings": {"paths": [1]}}', "settings.paths"),
        ('{"subject": {"assessment_id": "a", "funded_account_id": "b"}}', "subject"),
    ],
)
def test_a_bad_body_is_a_problem_that_names_it(served: Served, body: str, field: str) -> None:
    answer = served.client.post("/simulations", content=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["violations"][0]["field"] == field


MODELS = ", ".join(settings_pb2.ResamplingModel.keys()[1:])
TIME = "give a time with its offset from UTC, such as 2026-01-31T16:00:00Z"


@pytest.mark.parametrize(
    ("body", "field", "description"),
    [
        ('{"subject": {"assessment_id": 5}}', "subject.assessment_id", "give a text, in quotes"),
        ('{"settings": {"paths": "x"}}', "settings.paths", "x is not a whole number"),
        ('{"settings": {"paths": true}}', "settings.paths", "true is not a whole number"),
        ('{"settings": {"paths": 1e999}}', "settings.paths", "Infinity is not a whole number"),
        ('{"settings": {"paths": 1.5}}', "settings.paths", "1.5 is not a whole number"),
        ('{"settings": {"seed": -1}}', "settings.seed", "-1 is out of range"),
        ('{"settings": {"block_length": "y"}}', "settings.block_length", "y is not a number"),
        ('{"settings": {"model": "X"}}', "settings.model", f"X is not one of {MODELS}"),
        ('{"settings": {"block_length": NaN}}', "settings.block_length", "NaN is not a number"),
        ('{"settings": []}', "settings", "give an object, in {}"),
        ('{"settings": {"scenarios": {}}}', "settings.scenarios", "give a list, in []"),
        ('{"settings": {"scenarios": [{"stress": {}}, {"stress": {"cost_per_trade": 4.2}}]}}',
         "settings.scenarios[1].stress.cost_per_trade", "give a text, in quotes"),
        ('{"subject": {"inline": {"rules": {"startingBalance": 50000}}}}',
         "subject.inline.rules.starting_balance", "give a text, in quotes"),
        ('{"request_id": "a", "requestId": "b"}', "request_id", "is given twice: give one spelling of its name"),
        ('{"settings": {"stress": {"worst_day": 1}}}', "settings.stress.worst_day",
         "give true or false, without quotes"),
        ('{"subject": {"inline": {"trades": [{"pnl": "5"}, {"closed_at": "today"}]}}}',
         "subject.inline.trades[1].closed_at", TIME),
        ('{"subject": {"inline": {"trades": [{"closed_at": "2026-01-01T00:00:00"}]}}}',
         "subject.inline.trades[0].closed_at", TIME),
        ('{"subject": {"inline": {"trades": [{"closed_at": 5}]}}}', "subject.inline.trades[0].closed_at", TIME),
    ],
)  # fmt: skip
def test_json_that_does_not_fit_is_told_by_its_field_in_plain_words(
    served: Served, body: str, field: str, description: str
) -> None:
    answer = served.client.post("/simulations", content=body).json()
    assert answer["violations"] == [{"field": field, "description": description}]


def test_all_that_does_not_fit_is_told_at_once(served: Served) -> None:
    trades = [{"pnl": "1"}, {"pnl": 2}, {"pnl": 3}]
    body = {"subject": {"inline": {"trades": trades}}, "settings": {"paths": "many", "model": None}}
    answer = served.client.post("/simulations", json=body).json()
    assert [each["field"] for each in answer["violations"]] == [
        "subject.inline.trades[1].pnl", "subject.inline.trades[2].pnl", "settings.paths"
    ]  # fmt: skip


def test_what_protobuf_takes_for_a_number_or_an_enum_is_taken(served: Served) -> None:
    settings = {"paths": "1000", "horizonDays": 20.0, "seed": "18446744073709551615", "blockLength": "2", "model": 4}
    made = served.client.post("/simulations", json={"subject": {"assessment_id": "a"}, "settings": settings})
    assert made.status_code == 201
    assert made.json()["settings"]["horizon_days"] == 20
    assert made.json()["settings"]["seed"] == settings["seed"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/simulation", 404), ("DELETE", "/simulations", 405)])
def test_what_is_not_there_is_a_problem_too(served: Served, method: str, path: str, status: int) -> None:
    answer = served.client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status
    assert "/simulations" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("owner=me", "owner"),
        ("page_size=many", "page_size"),
        ("filter=owner", "filter"),
        ("page_token=x", "page_token"),
        ("page_size=-1", "page_size"),
        ("state=FAILED&state=SUCCEEDED", "state"),
    ],
)
def test_a_bad_query_is_a_problem_that_names_it(served: Served, query: str, field: str) -> None:
    answer = served.client.get(f"/simulations?{query}")
    assert answer.status_code == 400
    assert answer.json()["violations"][0]["field"] == field


def test_errors_have_their_statuses(served: Served) -> None:
    assert served.client.get(f"/simulations/{uuid4()}").status_code == 404
    assert served.client.get("/simulations/7").status_code == 400
    served.client.post("/simulations", json={"request_id": "r", "subject": {"assessment_id": "A-1"}})
    reused = served.client.post("/simulations", json={"request_id": "r", "subject": {"assessment_id": "A-2"}})
    assert (reused.status_code, reused.json()["title"]) == (409, "REQUEST_ID_REUSED")
    served.system.store.faults.append(StoreUnavailable("away"))
    away = served.client.get(f"/simulations/{uuid4()}")
    assert (away.status_code, away.headers["retry-after"]) == (503, "2")
    served.system.store.faults.append(RuntimeError("hunter2"))  # type: ignore[arg-type]  # an error nobody foresaw
    broken = served.client.get(f"/simulations/{uuid4()}")
    assert broken.status_code == 500
    assert "hunter2" not in broken.text


def test_a_request_joins_the_callers_trace(served: Served) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    made = served.client.post(
        "/simulations", json={"subject": {"assessment_id": "A-1"}}, headers={"traceparent": parent}
    )
    assert made.status_code == 201
    [span] = served.system.recorder.exporter.get_finished_spans()
    assert f"{span.context.trace_id:032x}" == parent.split("-")[1]
    assert served.system.recorder.counts("mcsvc.http.duration") == {"POST /simulations,201": 1}


def test_ready_needs_the_database_and_reports_the_rest(served: Served) -> None:
    assert served.client.get("/ready").status_code == 503
    assert served.client.get("/health").status_code == 200
    served.monitor.run_once()
    assert served.client.get("/ready").json()["status"] == "ok"
    served.pings.engine_up = False
    served.monitor.run_once()
    degraded = served.client.get("/ready")
    assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")
    assert degraded.json()["dependencies"]["engine"] == {"up": False, "required": False, "detail": "no engine"}
    served.pings.database_up = False
    served.monitor.run_once()
    assert served.client.get("/ready").status_code == 503
    assert served.client.get("/health").status_code == 200
    assert served.system.recorder.counts("mcsvc.dependency.up") == {"database": 0, "engine": 0}


def test_what_does_not_answer_in_time_is_down_and_is_asked_once() -> None:
    answer, asked = Event(), list[int]()

    def silent() -> None:
        asked.append(1)
        answer.wait(WAIT_S)

    told: list[bool] = []
    dependencies = [
        Dependency(name="database", ping=silent, required=True),
        Dependency(name="engine", ping=lambda: None),
    ]
    monitor = Monitor(dependencies, Recorder().metrics, answer_within=timedelta(milliseconds=50))
    monitor.listen(told.append)
    monitor.run_once()
    monitor.run_once()
    assert monitor.health()["engine"].up
    assert monitor.health()["database"] == Health(up=False, required=True, detail="It has not answered within 0.05 s.")
    assert (told, len(asked)) == ([False, False], 1)
    answer.set()
    give_up_at = time.monotonic() + WAIT_S
    while not monitor.ready():
        assert time.monotonic() < give_up_at
        monitor.run_once()


def test_what_is_away_from_the_first_look_on_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    def away() -> None:
        raise EventBusUnavailable("No broker.")

    monitor = Monitor([Dependency(name="kafka", ping=away)], Recorder().metrics)
    monitor.run_once()
    monitor.run_once()
    assert [line.getMessage() for line in caplog.records] == ["dependency_down"]


def test_looks_at_the_same_time_are_made_one_after_the_other() -> None:
    pings = Pings()
    dependencies = [
        Dependency(name="database", ping=pings.database, required=True),
        Dependency(name="engine", ping=pings.engine),
    ]
    monitor = Monitor(dependencies, Recorder().metrics)
    with ThreadPoolExecutor(8) as crowd:
        list(crowd.map(lambda _: monitor.run_once(), range(100)))
    assert monitor.ready()


def test_a_draining_service_is_not_ready(served: Served) -> None:
    told: list[bool] = []
    served.monitor.listen(told.append)
    served.monitor.run_once()
    served.monitor.drain()
    served.monitor.run_once()
    assert told == [True, False, False]
    assert served.client.get("/ready").status_code == 503


def test_metrics_are_prometheus_text(served: Served) -> None:
    answer = served.client.get("/metrics")
    assert answer.text == "up 1\n"
    assert answer.headers["content-type"].startswith("text/plain")


def test_one_call_too_many_is_refused_at_once_while_health_and_metrics_are_told() -> None:
    system, entered, release = System(), Semaphore(0), Event()

    def hang(_: JobId) -> NoReturn:
        entered.release()
        release.wait(WAIT_S)
        raise StoreUnavailable("away")

    system.use = replace(system.use, get=hang)  # type: ignore[arg-type]  # a database that hangs
    with running(Served(system)) as served, ThreadPoolExecutor(THREADS) as crowd:
        answers = [crowd.submit(served.client.get, f"/simulations/{uuid4()}") for _ in range(THREADS)]
        assert all(entered.acquire(timeout=WAIT_S) for _ in range(THREADS))
        refused = [
            served.client.get(f"/simulations/{uuid4()}"),
            served.client.get("/simulations"),
            served.client.post("/simulations", json={"subject": {"assessment_id": "A-1"}}),
        ]
        told = [served.client.get(path).status_code for path in ("/metrics", "/health", "/ready")]
        assert not any(answer.done() for answer in answers)
        release.set()
        assert {answer.result().status_code for answer in answers} == {503}
        assert served.client.get("/simulations").status_code == 200
    assert [(each.status_code, each.json()["title"]) for each in refused] == [(429, "TOO_MANY_CALLS")] * 3
    assert {each.headers["content-type"] for each in refused} == {"application/problem+json"}
    assert all(int(each.headers["retry-after"]) > 0 for each in refused)
    assert told == [200, 200, 503]
