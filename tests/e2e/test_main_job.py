"""The main job on real parts: Kafka in, a simulation on Ray, Kafka out; also when the service is killed midway."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.broker import headers_of, make_topics, read, send
from tests.postgres_server import PostgresServer
from tests.ray_cluster import RayCluster, ServedSimulator
from tests.service_process import ServiceProcess, core_service, environ, service_process

pytestmark = [pytest.mark.stack, pytest.mark.ray, pytest.mark.timeout(240)]
COMPLETED = "montecarlo.simulation-completed"
WAIT_S = 90.0
LONG_PATHS = 40_000_000
LONG_RUN = {"paths": LONG_PATHS, "seed": 5, "as_of": "2019-01-02T00:00:00Z"}
"""Its present is given: two jobs have the same input, and so the same digest, only if they have the same one."""


@dataclass(frozen=True, kw_only=True)
class World:
    """A database, topics and an engine for one test."""

    variables: dict[str, str]
    brokers: str
    topic: str
    database_url: str

    def publish(self, event_id: str, assessment: str, trace_id: str) -> None:
        """A passed assessment, as the risk team would send it."""
        body = {"id": event_id, "source": "e2e", "assessment_id": assessment, "outcome": "PASSED"}
        headers = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
        send(self.brokers, self.topic, json.dumps(body).encode(), headers)

    def events_of(self, job_id: str) -> list[Any]:
        """All completion events of a job that are in the topic, once there is one."""
        count, found = 1, []
        while not found:
            messages = read(self.brokers, COMPLETED, max(count, self._published()), timeout_s=WAIT_S)
            found = [message for message in messages if message.key() == job_id.encode()]
            count = len(messages) + 1
        return found

    def _published(self) -> int:
        """How many messages the topic of completion events holds now."""
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": "counter"})
        try:
            known = consumer.list_topics(COMPLETED, timeout=10).topics[COMPLETED].partitions
            ends = [consumer.get_watermark_offsets(TopicPartition(COMPLETED, each), timeout=10)[1] for each in known]
        finally:
            consumer.close()
        return sum(ends)

    def column(self, statement: str) -> list[Any]:
        """The first column of a query."""
        with psycopg.connect(self.database_url) as connection:
            return [row[0] for row in connection.execute(statement.encode())]


@pytest.fixture
def world(
    postgres_server: PostgresServer,
    empty_database_url: str,
    kafka_brokers: str,
    ray_cluster: RayCluster,
    simulator_address: Callable[..., ServedSimulator],
) -> Iterator[World]:
    """Everything around one service."""
    del postgres_server
    topic = f"e2e.{uuid4().hex}"
    make_topics(kafka_brokers, [topic, f"{topic}.dlq", COMPLETED, "montecarlo.simulation-failed"])
    port = int(simulator_address().target.rpartition(":")[2])
    with ExitStack() as stack:
        variables = environ(
            database_url=empty_database_url,
            brokers=kafka_brokers,
            engine_port=port,
            core_url=stack.enter_context(core_service()),
            topic=topic,
        )
        variables |= {"OTEL_EXPORTER_OTLP_ENDPOINT": ray_cluster.otlp.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        yield World(variables=variables, brokers=kafka_brokers, topic=topic, database_url=empty_database_url)


def _ingested(service: ServiceProcess, event_id: str) -> str:
    line = service.wait_for("assessment_ingested", where=lambda each: each["event_id"] == event_id)
    return str(line["job_id"])


def _succeeded(service: ServiceProcess, job_id: str) -> None:
    service.wait_for("job_succeeded", within_s=WAIT_S, where=lambda each: each["job_id"] == job_id)


def test_an_event_in_becomes_a_simulated_result_and_an_event_out_in_one_trace(
    world: World, ray_cluster: RayCluster
) -> None:
    trace_id = uuid4().hex
    with service_process(world.variables) as service:
        port = service.wait_for("service_started")["http_port"]
        world.publish("in-1", "asm-steady-001", trace_id)
        job_id = _ingested(service, "in-1")
        _succeeded(service, job_id)
        [event] = world.events_of(job_id)
        stored = httpx.get(f"http://127.0.0.1:{port}/simulations/{job_id}", timeout=WAIT_S).json()
    told = json.loads(event.value())
    result = stored["result"]
    assert told["result_digest"] == stored["result_digest"]
    assert told["outcomes"] == result["outcomes"]
    assert int(result["paths"]) == 100_000
    assert sum(each["value"] for each in result["outcomes"].values()) == pytest.approx(1.0)
    assert all(each["ci_low"] <= each["value"] <= each["ci_high"] for each in result["outcomes"].values())
    assert headers_of(event)["traceparent"].split("-")[1] == trace_id
    whole_way = {f"{world.topic} process", "job.run", "simulate", "engine.simulate", "engine.run_batch"}
    ray_cluster.otlp.wait_for(
        lambda received: whole_way <= {span.name for span in received.spans if span.trace_id == trace_id},
        within_s=WAIT_S,
    )


def test_a_service_killed_in_mid_job_leaves_one_result_and_exactly_one_completion_event(world: World) -> None:
    quick_rescue = {**world.variables, "MCSVC_LEASE_S": "3", "MCSVC_BACKOFF_BASE_S": "1"}
    with service_process(quick_rescue) as first:
        port = first.wait_for("service_started")["http_port"]
        body = {"subject": {"assessment_id": "asm-lucky-001"}, "settings": LONG_RUN}
        job_id = httpx.post(f"http://127.0.0.1:{port}/simulations", json=body, timeout=WAIT_S).json()["id"]
        _wait_for_checkpoint(world)
        first.process.send_signal(signal.SIGKILL)
        first.wait()
    assert world.column("SELECT state FROM jobs") == ["running"]
    with service_process(quick_rescue) as second:
        port = second.wait_for("service_started")["http_port"]
        _succeeded(second, job_id)
        stored = httpx.get(f"http://127.0.0.1:{port}/simulations/{job_id}", timeout=WAIT_S).json()
        [event] = world.events_of(job_id)
        body["request_id"] = "the-same-again"
        again = httpx.post(f"http://127.0.0.1:{port}/simulations", json=body, timeout=WAIT_S).json()["id"]
        _succeeded(second, again)
        whole = httpx.get(f"http://127.0.0.1:{port}/simulations/{again}", timeout=WAIT_S).json()
    assert stored["attempt"] == 2
    assert int(stored["result"]["paths"]) == LONG_PATHS
    assert stored["result_digest"] == whole["result_digest"] == json.loads(event.value())["result_digest"]
    assert [len(world.events_of(each)) for each in (again, job_id)] == [1, 1]
    assert world.column("SELECT count(*) FROM outbox WHERE sent_time IS NULL") == [0]


def _wait_for_checkpoint(world: World) -> None:
    """Until the running job has a checkpoint: it can be killed and go on."""
    deadline = time.monotonic() + WAIT_S
    with psycopg.connect(world.database_url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            row = connection.execute("SELECT count(*) FROM checkpoints").fetchone()
            if row and row[0]:
                return
            connection.execute("SELECT pg_sleep(0.05)")
    raise AssertionError(f"no checkpoint within {WAIT_S} s")
