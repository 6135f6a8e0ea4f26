"""A real Apache Kafka that fails, and consumers that do: nothing is lost, and jobs are made once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import count
from uuid import uuid4

import psycopg
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from mcsvc.adapters.kafka import KafkaPublisher
from mcsvc.adapters.postgres.store import PostgresJobStore
from mcsvc.app.relay_events import RelayEvents
from mcsvc.cli import kafka as cli
from mcsvc.domain.errors import MessageTooLarge
from mcsvc.domain.job import Failure, Job, term_of
from mcsvc.kafka_access import KafkaAccess
from mcsvc.ports.job_store import OutboxEvent
from montecarlo.v1.events_pb2 import SimulationCompletedEvent
from tests.apache_kafka import ApacheKafka
from tests.broker import headers_of, make_topics, read, send
from tests.consumers import body, until
from tests.job_samples import LEASE, event_of, new_job, new_owner
from tests.postgres_server import PostgresServer
from tests.service_process import ServiceProcess, World, service_process, service_world

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.timeout(300)]
WAIT_S = 90.0
HOLD = timedelta(milliseconds=200)


@pytest.fixture
def topic(apache_kafka: ApacheKafka) -> str:
    """A topic of this test alone."""
    name = f"test.{uuid4().hex}"
    make_topics(apache_kafka.address(), [name])
    return name


@pytest.fixture
def publisher(apache_kafka: ApacheKafka) -> Iterator[KafkaPublisher]:
    """A publisher that gives up soon."""
    access = KafkaAccess(brokers=apache_kafka.address())
    made = KafkaPublisher(access, client_id="test", delivery_timeout=timedelta(seconds=2))
    yield made
    made.close()


@pytest.fixture
def world(apache_kafka: ApacheKafka, postgres_server: PostgresServer) -> Iterator[World]:
    """PostgreSQL, the broker, a Core Service and an engine."""
    with service_world(postgres_server, apache_kafka.address()) as made:
        yield made


def jobs_of(database_url: str) -> list[str]:
    """The assessments of all jobs, one entry a job."""
    with psycopg.connect(database_url) as connection:
        return sorted(ref for (ref,) in connection.execute("SELECT subject_ref FROM jobs").fetchall())


def takes_part(service: ServiceProcess) -> bool:
    """True once it has made a job of an event."""
    return "assessment_ingested" in service.events()


def test_when_a_consumer_is_killed_another_takes_over_and_each_event_makes_one_job(
    world: World, database_url: str, topic: str
) -> None:
    sent = 0

    def send_more(count: int) -> None:
        nonlocal sent
        for number in range(sent, sent + count):
            send(world.brokers, topic, body(number), key=str(number))
        sent += count

    variables = world.environ("", topic) | {"DATABASE_URL": database_url}
    with service_process(variables) as first, service_process(variables) as second:
        first.wait_for("service_started")
        second.wait_for("service_started")
        while not (takes_part(first) and takes_part(second)):  # the group has room for both
            send_more(8)
            until(lambda: len(jobs_of(database_url)) == sent, "a job of each event")
        send_more(40)
        first.process.send_signal(signal.SIGKILL)
        send_more(20)
        until(lambda: len(set(jobs_of(database_url))) == sent, "the other takes over")
    assert jobs_of(database_url) == sorted(f"A-{number}" for number in range(sent))


def owe(store: PostgresJobStore, topic: str, count: int) -> set[str]:
    """Events that jobs owe; their ids."""

    def event(job: Job) -> OutboxEvent:
        made = event_of(job)
        return OutboxEvent(id=made.id, topic=topic, key=made.key, payload=b"{}", headers={"ce_id": made.id})

    for _ in range(count):
        store.create(new_job())
    claimed = store.claim_next(new_owner(), limit=count, lease=LEASE)
    failure = Failure(code="X", message="It failed.")
    for job in claimed:
        store.fail(term_of(job), failure, event)
    return {each.id for each in store.unsent(limit=1000)}


def test_events_owed_while_the_broker_is_killed_arrive_once_it_is_back(
    apache_kafka: ApacheKafka, publisher: KafkaPublisher, postgres_store: PostgresJobStore, topic: str
) -> None:
    relay = RelayEvents(store=postgres_store, publisher=publisher, batch=10, timeout=timedelta(seconds=3), hold=HOLD)
    owed = owe(postgres_store, topic, 30)
    assert relay() == 10
    apache_kafka.kill()
    try:
        owed |= owe(postgres_store, topic, 10)
        assert relay() == 0
        assert len(postgres_store.unsent(limit=100)) == 30
    finally:
        apache_kafka.start()
    until(lambda: relay() >= 0 and not postgres_store.unsent(limit=1), "all are sent")
    for number in count(40):  # or more, as some may have come twice
        if {headers_of(each)["ce_id"] for each in read(apache_kafka.address(), topic, number)} == owed:
            break


def test_what_the_broker_finds_too_large_is_no_outage_and_keeps_nothing_else_waiting(
    apache_kafka: ApacheKafka, publisher: KafkaPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    small = f"test.{uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": apache_kafka.address()})
    new = NewTopic(small, num_partitions=1, replication_factor=1, config={"max.message.bytes": "10000"})
    admin.create_topics([new])[small].result(WAIT_S)
    with pytest.raises(MessageTooLarge, match=small):
        publisher.send(small, key=None, value=os.urandom(50_000), headers=[], timeout=timedelta(seconds=10))
    event = partial(OutboxEvent, topic=small, key="k", headers={})
    large = event(id="large", payload=os.urandom(50_000))
    fit_alone = [event(id=name, payload=os.urandom(9_000)) for name in "abc"]
    for _ in range(2):
        assert publisher.publish([large, *fit_alone], timeout=timedelta(seconds=10)) == ["a", "b", "c"]
    told = [line for line in caplog.records if line.name == "mcsvc.adapters.kafka"]
    assert [line.getMessage() for line in told] == ["event_not_delivered"] * 2
    assert "max.message.bytes" in str(vars(told[0]))


def test_outcomes_are_awaited_on_topics_that_are_made_by_asking_for_them(
    apache_kafka: ApacheKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = KafkaAccess(brokers=apache_kafka.address())
    monkeypatch.setattr("mcsvc.cli.kafka.COMPLETED", f"test.{uuid4().hex}")
    monkeypatch.setattr("mcsvc.cli.kafka.FAILED", f"test.{uuid4().hex}")
    outcomes = cli.Outcomes(access)
    cli.send(access, cli.COMPLETED, "a", SimulationCompletedEvent(assessment_id="asm-1", simulation_id="s"))
    assert outcomes.wait_for("asm-1", timeout_s=WAIT_S, check=lambda: None).simulation_id == "s"
    outcomes.close()
