"""A Kafka-protocol broker in a process of its own: librdkafka's mock cluster, with consumer groups and idempotence.

`python -m mcsvc.devstack.broker --address-file PATH TOPIC…` writes its bootstrap address and serves until SIGTERM.
Or the brokers that the caller's environment names.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from confluent_kafka import Producer

from mcsvc.config import ConfigError, load_kafka
from mcsvc.devstack.errors import StackError
from mcsvc.devstack.parts import Environment, unset
from mcsvc.devstack.run import Run
from mcsvc.domain.errors import EventBusUnavailable
from mcsvc.kafka_access import FIELDS, variable
from mcsvc.kafka_troubles import Troubles, ask
from mcsvc.stop_signals import set_on_signal

TOPICS = (
    "assessment.completed",
    "assessment.completed.dlq",
    "montecarlo.simulation-completed",
    "montecarlo.simulation-failed",
)

NO_LOGIN = dict.fromkeys(map(variable, FIELDS), "")
"""What keeps variables that are for other brokers from the embedded one."""


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
        return NO_LOGIN | {"KAFKA_BROKERS": address.read_text()}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedBrokers:
    """The brokers of KAFKA_BROKERS, asked as the service will ask them: any one of them may be up."""

    name: str = "broker"
    title: str = "Kafka"
    needs: tuple[str, ...] = ()
    timeout_s: float = 5

    def start(self, run: Run, given: Environment) -> Environment:
        """Check that they let the service in. Raises StackError with the reason."""
        del run, given
        try:
            access = load_kafka(os.environ)
        except ConfigError as error:
            raise StackError(f"{' '.join(error.problems)} {unset('KAFKA_BROKERS')}") from None
        troubles = Troubles()
        client = Producer(access.client("mcsvc-devstack") | {"error_cb": troubles.hear, "log_level": 0})
        try:
            ask(client, troubles, within_s=self.timeout_s)
        except EventBusUnavailable as error:
            raise StackError(f"{self.title} at {access.brokers}: {error} {unset('KAFKA_BROKERS')}") from None
        named = {name: os.environ.get(name, "") for name in NO_LOGIN}
        return {name: value for name, value in named.items() if value} | {"KAFKA_BROKERS": access.brokers}


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
