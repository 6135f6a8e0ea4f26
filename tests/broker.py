"""One Kafka broker a test run: librdkafka's mock cluster in a process of its own. Tests keep apart by topic names."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition

START_S = 20.0


@contextmanager
def running_broker(directory: Path, topics: Sequence[str] = ()) -> Iterator[str]:
    """A broker of one's own, to stop; yields its bootstrap address."""
    with broker_process(directory, topics) as (address, _):
        yield address


@contextmanager
def broker_process(directory: Path, topics: Sequence[str] = ()) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A broker of one's own, to stop or stall; yields its bootstrap address and its process."""
    address = directory / f"broker-{uuid4().hex[:8]}.address"
    command = [sys.executable, "-m", "mcsvc.devstack.broker", "--address-file", str(address), *topics]
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + START_S
        while not address.exists():
            assert process.poll() is None, "the broker ended at its start"
            assert time.monotonic() < deadline, f"the broker was not there within {START_S:.0f} s"
            time.sleep(0.02)  # a file cannot be waited for
        yield address.read_text(), process
    finally:
        process.terminate()
        process.wait(START_S)


@pytest.fixture(scope="session")
def kafka_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bootstrap address of the shared broker."""
    with running_broker(tmp_path_factory.mktemp("broker")) as address:
        yield address


@pytest.fixture
def topic(kafka_brokers: str) -> str:
    """A topic of this test alone."""
    name = f"test.{uuid4().hex}"
    make_topics(kafka_brokers, [name])
    return name


def make_topics(brokers: str, names: Sequence[str]) -> None:
    """Asking for a topic makes it."""
    producer = Producer({"bootstrap.servers": brokers})
    for name in names:
        producer.list_topics(name, timeout=10)


def send(brokers: str, topic: str, value: bytes, headers: dict[str, str] | None = None, key: str = "k") -> None:
    """One message, acknowledged."""
    failures: list[object] = []
    producer = Producer({"bootstrap.servers": brokers, "message.max.bytes": 10_000_000})
    producer.produce(
        topic,
        value=value,
        key=key,
        headers=list((headers or {}).items()),
        on_delivery=lambda error, _: failures.append(error) if error else None,
    )
    assert producer.flush(10) == 0
    assert not failures, failures


def read(brokers: str, topic: str, count: int, *, timeout_s: float = 20.0) -> list[Message]:
    """The first `count` messages of a topic, over all its partitions. Fails if they do not come in time."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "reader", "enable.auto.commit": False})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    found: list[Message] = []
    deadline = time.monotonic() + timeout_s
    try:
        while len(found) < count and time.monotonic() < deadline:
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                found.append(message)
    finally:
        consumer.close()
    assert len(found) >= count, f"{len(found)} of {count} messages in {topic} within {timeout_s} s"
    return found


def headers_of(message: Message) -> dict[str, str]:
    """The headers of a message as text."""
    headers: Any = message.headers() or []
    return {name: value.decode() for name, value in headers}
