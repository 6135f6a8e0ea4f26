"""The service as a real process: Kafka in to Kafka out, reflection, outages, and its end."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import httpx
import psycopg
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from mcsvc.adapters.memory.simulator import Hang
from tests.broker import headers_of, read, send
from tests.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.postgres_server import PostgresServer
from tests.scripted_engine import ScriptedEngine, serving
from tests.service_process import COMPLETED, ServiceProcess, World, service_process, service_world

pytestmark = pytest.mark.stack
SERVICE = "montecarlo.v1.SimulationService"
WAIT_S = 40.0


@dataclass(kw_only=True)
class Running:
    """One service that several tests use."""

    world: World
    service: ServiceProcess
    database: str
    topic: str
    http: httpx.Client
    grpc_port: int
    receiver: OtlpReceiver

    def publish(self, event_id: str, assessment: str = "asm-steady-001", trace_id: str = "") -> None:
        """A passed assessment."""
        body = {"id": event_id, "source": "test", "assessment_id": assessment, "outcome": "PASSED"}
        headers = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"} if trace_id else {}
        send(self.world.brokers, self.topic, json.dumps(body).encode(), headers)

    def completed(self, job_id: str) -> list[Any]:
        """The completion events of a job that are there now; waits for the first."""
        deadline = time.monotonic() + WAIT_S
        found: list[Any] = []
        count = 1
        while not found and time.monotonic() < deadline:
            messages = read(self.world.brokers, COMPLETED, count, timeout_s=WAIT_S)
            found = [each for each in messages if each.key() == job_id.encode()]
            count = len(messages) + 1
        return found

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of the service's database."""
        with psycopg.connect(self.world.postgres.url(self.database)) as connection:
            return connection.execute(statement.encode()).fetchall()


@pytest.fixture(scope="module")
def world(postgres_server: PostgresServer, kafka_brokers: str) -> Iterator[World]:
    """PostgreSQL, broker, Core Service and engine."""
    with service_world(postgres_server, kafka_brokers) as made:
        yield made


@pytest.fixture(scope="module")
def running(world: World) -> Iterator[Running]:
    """A service that is up."""
    database, topic = world.postgres.create_database(), f"test.{uuid4().hex}"
    with ExitStack() as stack:
        receiver = stack.enter_context(otlp_receiver())
        variables = {
            **world.environ(database, topic),
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        service = stack.enter_context(service_process(variables))
        started = service.wait_for("service_started")
        http = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{started['http_port']}", timeout=WAIT_S))
        yield Running(
            world=world,
            service=service,
            database=database,
            topic=topic,
            http=http,
            grpc_port=started["grpc_port"],
            receiver=receiver,
        )
    world.postgres.drop_database(database)


def test_a_replayed_event_makes_one_job_one_result_and_one_trace(running: Running) -> None:
    trace_id = uuid4().hex
    running.publish("e-1", trace_id=trace_id)
    ingested = running.service.wait_for("assessment_ingested", where=lambda line: line["event_id"] == "e-1")
    job_id = ingested["job_id"]
    running.service.wait_for("job_succeeded", where=lambda line: line["job_id"] == job_id)
    for _ in range(3):
        running.publish("e-1")
    running.publish("e-2", "asm-lucky-001")
    running.service.wait_for("assessment_ingested", where=lambda line: line["event_id"] == "e-2")
    assert running.sql("""SELECT count(*) FROM jobs WHERE dedup_key = 'event:["test", "e-1"]'""") == [(1,)]

    [event] = running.completed(job_id)
    assert headers_of(event)["traceparent"].split("-")[1] == trace_id
    assert headers_of(event)["ce_type"] == COMPLETED
    assert any(each["traceparent"].split("-")[1] == trace_id for each in running.world.engine.metadata)
    names = {"job.run", "simulate", f"{running.topic} process"}
    running.receiver.wait_for(
        lambda received: names <= {span.name for span in received.spans if span.trace_id == trace_id}, within_s=WAIT_S
    )
    shown = running.http.get(f"/simulations/{job_id}").json()
    assert (shown["state"], shown["result"]["paths"]) == ("SIMULATION_STATE_SUCCEEDED", "1000")
    assert shown["result_digest"] == json.loads(event.value() or b"")["result_digest"]


def test_poison_becomes_a_dead_letter_and_the_next_message_a_job(running: Running) -> None:
    send(running.world.brokers, running.topic, b"\xffpoison")
    running.publish("after-poison")
    running.service.wait_for("assessment_ingested", where=lambda line: line["event_id"] == "after-poison")
    [letter] = read(running.world.brokers, f"{running.topic}.dlq", 1)
    assert headers_of(letter)["dlq_reason"] == "NOT_JSON"


def test_a_client_built_from_reflection_lists_and_calls_every_method(running: Running) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert {SERVICE, "grpc.health.v1.Health"} <= set(database.get_services())
        service = DescriptorPool(database).FindServiceByName(SERVICE)

        def call(name: str, **fields: Any) -> Any:
            method = service.methods_by_name[name]
            make = channel.unary_stream if method.server_streaming else channel.unary_unary
            invoke: Any = make(
                f"/{SERVICE}/{name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            return invoke(GetMessageClass(method.input_type)(**fields), timeout=WAIT_S)

        made = call("TriggerSimulation", subject={"funded_account_id": "acc-steady-001"}).simulation
        last = list(call("WatchSimulation", id=made.id))[-1].simulation
        assert last.result.paths == 1000
        assert call("GetSimulation", id=made.id).simulation == last
        listed = call("ListSimulations", filter='funded_account_id = "acc-steady-001"').simulations
        assert [each.id for each in listed] == [made.id]
        with pytest.raises(grpc.RpcError) as refused:
            call("CancelSimulation", id=made.id)
        assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert {"TriggerSimulation", "WatchSimulation"} < set(service.methods_by_name)


def test_ready_with_the_cache_down_and_metrics_there(running: Running) -> None:
    made = running.http.post("/simulations", json={"subject": {"assessment_id": "asm-steady-001"}}).json()
    running.service.wait_for("job_succeeded", where=lambda line: line["job_id"] == made["id"])
    ready = running.http.get("/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    down = {name for name, each in ready.json()["dependencies"].items() if not each["up"]}
    assert down == {"cache"}
    metrics = running.http.get("/metrics").text
    for name in ("mcsvc_dependency_up", "mcsvc_jobs_pending", "mcsvc_outbox_unsent", "mcsvc_job_attempts_total"):
        assert name in metrics
    boundaries = [line for line in metrics.splitlines() if line.startswith("mcsvc_job_phase_duration_seconds_bucket")]
    assert {'le="0.01"', 'le="3600.0"'} < set(re.findall(r'le="[^"]+"', "".join(boundaries)))


def test_a_database_outage_holds_messages_and_loses_none(running: Running) -> None:
    postgres = running.world.postgres
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {running.database} ALLOW_CONNECTIONS false".encode())
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [running.database])
        try:
            running.publish("in-outage")
            running.service.wait_for("message_held")
            running.service.wait_for("dependency_down", where=lambda line: line["dependency"] == "database")
            assert running.http.get("/ready").status_code == 503
            assert running.http.get("/health").status_code == 200
            assert running.http.get(f"/simulations/{uuid4()}").status_code == 503
        finally:
            admin.execute(f"ALTER DATABASE {running.database} ALLOW_CONNECTIONS true".encode())
    running.service.wait_for("assessment_ingested", where=lambda line: line["event_id"] == "in-outage")
    assert running.sql("""SELECT count(*) FROM jobs WHERE dedup_key = 'event:["test", "in-outage"]'""") == [(1,)]


def test_no_line_of_the_log_is_anything_but_json(running: Running) -> None:
    assert "not_json" not in running.service.events()
    assert running.service.process.poll() is None


def test_a_service_that_starts_after_a_sweep_was_due_makes_up_for_it_once(world: World) -> None:
    database, topic = world.postgres.create_database(), f"test.{uuid4().hex}"
    due = datetime.now(UTC) - timedelta(minutes=30)
    variables = world.environ(database, topic) | {"MCSVC_SWEEP_CRON": f"{due.minute} {due.hour} * * *"}
    reports = []
    for _ in range(2):
        with service_process(variables) as service:
            reports.append(service.wait_for("sweep_done"))
            sample = httpx.get(f"http://127.0.0.1:{service.wait_for('service_started')['http_port']}/metrics").text
    first, second = reports
    assert first["triggered"] == first["seen"] == second["skipped"] > 0
    assert first["due"] == second["due"] == due.isoformat(timespec="minutes")
    assert "mcsvc_sweep_last_success_seconds " in sample
    with psycopg.connect(world.postgres.url(database)) as connection:
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (first["seen"],)
    world.postgres.drop_database(database)


def test_sigterm_hands_the_running_job_back_and_exits_in_order(world: World) -> None:
    database, topic = world.postgres.create_database(), f"test.{uuid4().hex}"
    hang = Hang()
    engine = ScriptedEngine(scripts=[[100, hang]])  # of its own: jobs of the other service must not take its script
    with ExitStack() as stack:
        port = stack.enter_context(serving(engine))
        changed = {"MCSVC_SHUTDOWN_TIMEOUT_S": "4", "RAY_SERVE_URL": f"127.0.0.1:{port}"}
        service = stack.enter_context(service_process(world.environ(database, topic) | changed))
        started = service.wait_for("service_started")
        with httpx.Client(base_url=f"http://127.0.0.1:{started['http_port']}", timeout=WAIT_S) as http:
            made = http.post("/simulations", json={"subject": {"assessment_id": "asm-steady-001"}})
        assert hang.begun.wait(WAIT_S)
        asked = time.monotonic()
        service.ask_to_stop()
        assert service.wait(25) == 0
        assert time.monotonic() - asked < 25
        assert engine.cut_off.acquire(timeout=2), "the engine still runs"
        events = service.events()
        assert events.index("service_stopping") < events.index("job_handed_back") < events.index("service_stopped")
    with psycopg.connect(world.postgres.url(database)) as connection:
        rows = connection.execute("SELECT state, attempt FROM jobs").fetchall()
    assert (made.status_code, rows) == (201, [("pending", 0)])
    world.postgres.drop_database(database)
