"""A producer that the brokers refuse for good: it says so by raising from whatever is asked of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from mcsvc.adapters import kafka
from mcsvc.adapters.kafka import KafkaPublisher
from mcsvc.kafka_access import KafkaAccess
from mcsvc.ports.job_store import OutboxEvent

EVENT = OutboxEvent(id="1", topic="t", key="k", payload=b"{}", headers={})
WAIT = timedelta(seconds=1)


class Refused:
    """The first producer of all is refused, its successors deliver."""

    made = 0

    def __init__(self, settings: dict[str, Any]) -> None:
        Refused.made += 1
        self._refused = Refused.made == 1
        self._delivered: list[Callable[[KafkaError | None, Any], None]] = []

    def produce(self, topic: str, *, on_delivery: Callable[[KafkaError | None, Any], None], **_: object) -> None:
        self._delivered.append(on_delivery)

    def flush(self, within_s: float) -> None:
        if self._refused:
            raise KafkaException(KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "no PID", fatal=True))
        for tell in self._delivered:
            tell(None, None)


def test_it_is_replaced_and_its_events_stay_owed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "Producer", Refused)
    monkeypatch.setattr(Refused, "made", 0)
    publisher = KafkaPublisher(KafkaAccess(brokers="kafka:9092"), client_id="test")
    assert publisher.publish([EVENT], timeout=WAIT) == []
    assert Refused.made == 2
    assert publisher.publish([EVENT], timeout=WAIT) == ["1"]
    publisher.close()
