"""A Kafka-protocol broker in a process of its own: librdkafka's mock cluster, with consumer groups and idempotence.

`python -m mcsvc.devstack.broker --address-file PATH TOPIC…` writes its bootstrap address and serves until SIGTERM.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from confluent_kafka import Producer

from mcsvc.devstack.parts import Environment
from mcsvc.devstack.run import Run
from mcsvc.stop_signals import set_on_signal

TOPICS = (
    "assessment.completed",
    "assessment.completed.dlq",
    "montecarlo.simulation-completed",
    "montecarlo.simulation-failed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedBroker:
    """See the module."""

    name: str = "broker"
    title: str = "Kafka broker"
    needs: tuple[str, ...] = ()
    timeout_s: float = 30

    def start(self, run: Run, given: Environment) -> Environment:
        """Start the broker with the service's topics and wait for its address."""
        del given
        address = run.directory / "broker.address"
        child = run.spawn_module("broker", "mcsvc.devstack.broker", "--address-file", str(address), *TOPICS)
        child.wait_ready(address.exists, timeout_s=self.timeout_s, stop=run.stop)
        return {"KAFKA_BROKERS": address.read_text()}


def serve(address_file: Path, topics: list[str], stop: Event) -> Producer:
    """Serve until `stop`. The mock lives in a client, which is returned: it serves as long as the client is there."""
    client = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "replaced.by.the.mock", "log_level": 3})
    for topic in topics:
        client.list_topics(topic, timeout=10)  # asking for a topic makes it: the mock has no CreateTopics
    brokers = client.list_topics(timeout=10).brokers.values()
    draft = address_file.with_suffix(".draft")
    draft.write_text(",".join(f"{broker.host}:{broker.port}" for broker in brokers))
    draft.rename(address_file)
    stop.wait()
    return client


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address-file", type=Path, required=True, help="where to write the bootstrap address")
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help="topics that exist from the start")
    arguments = parser.parse_args()
    stop = Event()
    set_on_signal(stop)
    _client = serve(arguments.address_file, arguments.topics, stop)
    os._exit(0)  # not by way of the client's end: it waits for ever for a mock whose poll a thaw (SIGCONT) interrupted


if __name__ == "__main__":
    main()
