"""What every event publisher promises, by the fake and by Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import ClusterMetadata

from mcsvc.adapters.kafka import KafkaPublisher
from mcsvc.adapters.memory.events import MemoryPublisher
from mcsvc.domain.errors import EventBusUnavailable, MessageTooLarge
from mcsvc.kafka_access import KafkaAccess
from mcsvc.ports.events import EventPublisher
from mcsvc.ports.job_store import OutboxEvent
from tests.apache_kafka import EACH_BROKER, address_of
from tests.broker import headers_of, make_topics, read, running_broker

WAIT = timedelta(seconds=10)


def event(topic: str, key: str = "k") -> OutboxEvent:
    return OutboxEvent(id=str(uuid4()), topic=topic, key=key, payload=b'{"a": 1}', headers={"ce_id": "1"})


@pytest.fixture(params=EACH_BROKER)
def kafka_brokers(request: pytest.FixtureRequest) -> str:
    """Each broker in turn."""
    return address_of(request)


@pytest.fixture(params=["memory", "kafka"])
def publisher(request: pytest.FixtureRequest, kafka_brokers: str) -> Iterator[EventPublisher]:
    """Each publisher in turn."""
    if request.param == "memory":
        yield MemoryPublisher()
        return
    kafka = KafkaPublisher(KafkaAccess(brokers=kafka_brokers), client_id="test")
    yield kafka
    kafka.close()


def test_what_is_published_is_acknowledged(publisher: EventPublisher, topic: str) -> None:
    events = [event(topic) for _ in range(5)]
    assert sorted(publisher.publish(events, timeout=WAIT)) == sorted(each.id for each in events)


def test_nothing_to_publish_is_nothing_acknowledged(publisher: EventPublisher) -> None:
    assert publisher.publish([], timeout=WAIT) == []


def test_it_answers(publisher: EventPublisher) -> None:
    publisher.ping()


def test_a_ping_asks_of_one_topic_alone(kafka_brokers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    class Noting(Producer):
        def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
            asked.append(topic)
            return super().list_topics(topic, timeout)

    monkeypatch.setattr("mcsvc.adapters.kafka.Producer", Noting)
    kafka = KafkaPublisher(KafkaAccess(brokers=kafka_brokers), client_id="test")
    kafka.ping()
    kafka.close()
    assert asked == ["montecarlo.simulation-completed"]


def test_an_event_arrives_with_key_payload_and_headers(kafka_brokers: str, topic: str) -> None:
    kafka = KafkaPublisher(KafkaAccess(brokers=kafka_brokers), client_id="test")
    events = [event(topic, key="same") for _ in range(3)]
    kafka.publish(events, timeout=WAIT)
    kafka.close()
    messages = read(kafka_brokers, topic, 3)
    assert {(each.key(), each.value()) for each in messages} == {(b"same", b'{"a": 1}')}
    assert len({each.partition() for each in messages}) == 1
    assert headers_of(messages[0]) == {"ce_id": "1"}


def test_a_raw_message_is_sent_as_it_is(kafka_brokers: str, topic: str) -> None:
    kafka = KafkaPublisher(KafkaAccess(brokers=kafka_brokers), client_id="test")
    kafka.send(topic, key=None, value=b"\xff", headers=[("a", b"b")], timeout=WAIT)
    kafka.close()
    [message] = read(kafka_brokers, topic, 1)
    assert (message.key(), message.value(), headers_of(message)) == (None, b"\xff", {"a": "b"})


def test_a_message_that_is_too_large_is_no_outage(kafka_brokers: str, topic: str) -> None:
    kafka = KafkaPublisher(KafkaAccess(brokers=kafka_brokers), client_id="test")
    with pytest.raises(MessageTooLarge, match=topic):
        kafka.send(topic, key=None, value=b"x" * 1_020_000, headers=[], timeout=WAIT)
    kafka.send(topic, key=None, value=b"small", headers=[], timeout=WAIT)
    kafka.close()
    [message] = read(kafka_brokers, topic, 1)
    assert message.value() == b"small"


def test_a_broker_that_is_away_acknowledges_nothing_and_is_said_to_be_away(tmp_path: Path) -> None:
    with running_broker(tmp_path) as address:
        make_topics(address, ["t"])
        kafka = KafkaPublisher(KafkaAccess(brokers=address), client_id="test", delivery_timeout=timedelta(seconds=3))
        kafka.ping()  # it has found the broker: what the delivery then takes is the delivery
        assert len(kafka.publish([event("t")], timeout=WAIT)) == 1
    assert kafka.publish([event("t")], timeout=timedelta(seconds=4)) == []
    with pytest.raises(EventBusUnavailable):
        kafka.send("t", key=None, value=b"x", headers=[], timeout=timedelta(seconds=4))
    with pytest.raises(EventBusUnavailable, match="KAFKA_BROKERS"):
        kafka.ping()
