"""The consumer on a real broker: nothing is skipped, nothing is done twice, no message stops it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

import pytest

from mcsvc.domain.errors import StoreUnavailable
from tests.apache_kafka import EACH_BROKER, address_of
from tests.broker import headers_of, read, send
from tests.consumers import Consumers, body, drive

pytestmark = pytest.mark.stack


@pytest.fixture(params=EACH_BROKER)
def kafka_brokers(request: pytest.FixtureRequest) -> str:
    """Each broker in turn."""
    return address_of(request)


@pytest.fixture
def consumers(kafka_brokers: str, topic: str) -> Iterator[Consumers]:
    """A group on a topic of this test alone."""
    made = Consumers(kafka_brokers, topic)
    yield made
    made.publisher.close()


def test_poison_and_an_outage_neither_stop_nor_skip(consumers: Consumers) -> None:
    for value in (body(1), b"\x00poison", body(2), body(2), b"", body(3)):
        send(consumers.brokers, consumers.topic, value)
    consumers.system.store.faults.extend([StoreUnavailable("away")] * 6)
    with consumers.one() as consumer:
        drive(consumer, until=lambda: sum(consumers.outcomes().values()) == 6)
    assert sorted(consumers.ingested()) == ["A-1", "A-2", "A-3"]
    assert consumers.outcomes() == {"job": 4, "dead_lettered": 2}
    letters = read(consumers.brokers, consumers.dead_letters, 2)
    assert sorted(headers_of(each)["dlq_reason"] for each in letters) == ["EMPTY", "NOT_JSON"]
    assert {headers_of(each)["dlq_topic"] for each in letters} == {consumers.topic}


@pytest.mark.parametrize("size", [1_020_000, 1_100_000])
def test_a_poison_message_too_large_for_the_dead_letters_does_not_block_its_partition(
    consumers: Consumers, size: int
) -> None:
    poison = os.urandom(size)
    send(consumers.brokers, consumers.topic, poison, {"ce_id": "large"})
    send(consumers.brokers, consumers.topic, body(1))
    with consumers.one() as consumer:
        drive(consumer, until=lambda: sum(consumers.outcomes().values()) == 2)
    assert consumers.ingested() == ["A-1"]
    [letter] = read(consumers.brokers, consumers.dead_letters, 1)
    headers, value = headers_of(letter), letter.value()
    assert isinstance(value, bytes)
    assert poison.startswith(value)
    assert headers["dlq_sha256"] == hashlib.sha256(poison).hexdigest()
    assert (headers["dlq_size"], headers["dlq_topic"], headers["ce_id"]) == (str(size), consumers.topic, "large")


def test_a_partition_that_waits_behind_a_message_is_told_until_it_goes_on(consumers: Consumers) -> None:
    def held() -> int:
        return consumers.system.recorder.counts("mcsvc.consumer.held").get("", 0)

    send(consumers.brokers, consumers.topic, body(1))
    consumers.system.store.faults.extend([StoreUnavailable("away")] * 1000)
    with consumers.one() as consumer:
        drive(consumer, until=lambda: held() == 1)
        consumers.system.store.faults.clear()
        drive(consumer, until=lambda: held() == 0)
    assert consumers.ingested() == ["A-1"]


def test_what_is_done_is_committed_and_what_is_not_is_read_again(consumers: Consumers) -> None:
    send(consumers.brokers, consumers.topic, body(1))
    with consumers.one() as first:
        drive(first, until=lambda: consumers.ingested() == ["A-1"])
        send(consumers.brokers, consumers.topic, body(2))
        send(consumers.brokers, consumers.topic, body(3))
        consumers.system.store.faults.extend([StoreUnavailable("away")] * 1000)
        drive(first, until=lambda: len(consumers.system.store.faults) < 995)
    consumers.system.store.faults.clear()
    with consumers.one() as second:
        drive(second, until=lambda: len(consumers.ingested()) == 3)
    assert consumers.ingested() == ["A-1", "A-2", "A-3"]
    assert consumers.outcomes() == {"job": 3}, "a message that was done was read again"


@pytest.mark.slow
def test_a_rebalance_in_an_outage_loses_nothing(consumers: Consumers) -> None:
    numbers = range(8)
    for number in numbers:
        send(consumers.brokers, consumers.topic, body(number), key=str(number))
    with consumers.one() as first:
        consumers.system.store.faults.extend([StoreUnavailable("away")] * 1000)
        drive(first, until=lambda: len(consumers.system.store.faults) < 995)
        with consumers.one() as second:
            drive(first, second, until=lambda: bool(second._consumer.assignment()))
            consumers.system.store.faults.clear()
            drive(first, second, until=lambda: len(consumers.ingested()) == len(numbers))
    assert sorted(consumers.ingested()) == [f"A-{number}" for number in numbers]
