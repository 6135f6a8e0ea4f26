"""A Kafka that asks who one is: each way in works, and a refusal says what to do, and never the password."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)  # fmt: skip

from mcsvc.adapters.kafka import KafkaPublisher
from mcsvc.cli import kafka as cli
from mcsvc.cli.publish import new_event
from mcsvc.cli.running import CliError
from mcsvc.config_values import Secret
from mcsvc.devstack import stack
from mcsvc.devstack.broker import NamedBrokers
from mcsvc.devstack.errors import StackError
from mcsvc.domain.errors import EventBusUnavailable
from mcsvc.kafka_access import FIELDS, KafkaAccess, variable
from mcsvc.ports.job_store import OutboxEvent
from tests.apache_kafka import PASSWORD, STRANGER, USER, ApacheKafka
from tests.broker import make_topics, read, send
from tests.certificates import authority
from tests.consumers import Consumers, body, drive, until
from tests.postgres_server import PostgresServer
from tests.service_process import service_process, service_world

pytestmark = [pytest.mark.slow, pytest.mark.stack]
WAIT = timedelta(seconds=10)
WRONG = "hunter2-that-is-wrong"
Change = Callable[[KafkaAccess, Path], KafkaAccess]


def by_password_in_plain_text(kafka: ApacheKafka) -> KafkaAccess:
    return KafkaAccess(
        brokers=kafka.address("PASSWORD"),
        security_protocol="sasl_plaintext",
        sasl_mechanism="PLAIN",
        sasl_username=USER,
        sasl_password=Secret(PASSWORD),
    )


def by_password(kafka: ApacheKafka) -> KafkaAccess:
    return replace(
        by_password_in_plain_text(kafka),
        brokers=kafka.address("LOGIN"),
        security_protocol="sasl_ssl",
        sasl_mechanism="SCRAM-SHA-512",
        ca_file=str(kafka.trust.own.certificate),
    )


def by_certificate(kafka: ApacheKafka) -> KafkaAccess:
    own = kafka.trust.sign(USER)
    return KafkaAccess(
        brokers=kafka.address("MUTUAL"),
        security_protocol="ssl",
        ca_file=str(kafka.trust.own.certificate),
        certificate_file=str(own.certificate),
        key_file=str(own.key),
    )


def with_a_wrong_password(access: KafkaAccess, folder: Path) -> KafkaAccess:
    return replace(access, sasl_password=Secret(WRONG))


def with_another_mechanism(access: KafkaAccess, folder: Path) -> KafkaAccess:
    return replace(access, sasl_mechanism="PLAIN")


def trusting_another_authority(access: KafkaAccess, folder: Path) -> KafkaAccess:
    return replace(access, ca_file=str(authority(folder / "another").own.certificate))


def by_a_name_that_is_not_in_the_certificate(access: KafkaAccess, folder: Path) -> KafkaAccess:
    return replace(access, brokers=access.brokers.replace("127.0.0.1", "localhost"))


def with_no_certificate(access: KafkaAccess, folder: Path) -> KafkaAccess:
    return replace(access, certificate_file="", key_file="")


def with_a_certificate_of_another_authority(access: KafkaAccess, folder: Path) -> KafkaAccess:
    own = authority(folder / "another").sign(USER)
    return replace(access, certificate_file=str(own.certificate), key_file=str(own.key))


def without_a_login(access: KafkaAccess, folder: Path) -> KafkaAccess:
    return KafkaAccess(brokers=access.brokers)


REFUSED = [
    pytest.param(by_password, with_a_wrong_password, "KAFKA_SASL_PASSWORD", id="password"),
    pytest.param(by_password, with_another_mechanism, "SCRAM-SHA-512.*KAFKA_SASL_MECHANISM", id="mechanism"),
    pytest.param(by_password, trusting_another_authority, "certificate verify failed.*KAFKA_CA_FILE", id="authority"),
    pytest.param(by_password, by_a_name_that_is_not_in_the_certificate, "KAFKA_BROKERS are the names", id="name"),
    pytest.param(by_password, without_a_login, "KAFKA_SECURITY_PROTOCOL", id="protocol"),
    pytest.param(by_certificate, with_no_certificate, "KAFKA_CERTIFICATE_FILE", id="no-certificate"),
    pytest.param(by_certificate, with_a_certificate_of_another_authority, "KAFKA_CERTIFICATE_FILE", id="certificate"),
]


@pytest.fixture
def topic(apache_kafka: ApacheKafka) -> str:
    """A topic of this test alone."""
    name = f"test.{uuid4().hex}"
    make_topics(apache_kafka.address(), [name])
    return name


@pytest.mark.parametrize("way", [by_password_in_plain_text, by_password, by_certificate])
def test_each_way_in_publishes_and_consumes(
    apache_kafka: ApacheKafka, topic: str, way: Callable[[ApacheKafka], KafkaAccess]
) -> None:
    access = way(apache_kafka)
    consumers = Consumers(apache_kafka.address(), topic, access)
    consumers.publisher.ping()
    event = OutboxEvent(id="1", topic=f"{topic}.out", key="k", payload=b"{}", headers={})
    assert consumers.publisher.publish([event], timeout=WAIT) == ["1"]
    send(apache_kafka.address(), topic, body(1))
    send(apache_kafka.address(), topic, b"\x00poison")
    with consumers.one() as consumer:
        drive(consumer, until=lambda: sum(consumers.outcomes().values()) == 2)
    assert consumers.ingested() == ["A-1"]
    read(apache_kafka.address(), consumers.dead_letters, 1)
    consumers.publisher.close()


@pytest.mark.parametrize(("way", "changed", "told"), REFUSED)
def test_what_is_refused_is_told_with_its_remedy_and_without_the_password(
    apache_kafka: ApacheKafka,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: Callable[[ApacheKafka], KafkaAccess],
    changed: Change,
    told: str,
) -> None:
    access = changed(way(apache_kafka), tmp_path)
    publisher = KafkaPublisher(access, client_id="test", delivery_timeout=timedelta(seconds=2))
    with pytest.raises(EventBusUnavailable, match=told) as of_the_service:
        publisher.ping()
    with pytest.raises(EventBusUnavailable, match=told):
        publisher.send("t", key=None, value=b"x", headers=[], timeout=timedelta(seconds=3))
    publisher.close()
    monkeypatch.setattr("mcsvc.cli.kafka.TIMEOUT_S", 3)
    with pytest.raises(CliError, match=told) as of_the_command:
        cli.publish(access, new_event("asm-1"))
    with pytest.raises(CliError, match=told):
        cli.Outcomes(access)
    for name, value in environ_of(access).items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(StackError, match=told) as of_the_stack,
        stack.running([NamedBrokers(timeout_s=3)], lambda ready: None),
    ):
        pass
    for caught in (of_the_service, of_the_command, of_the_stack):
        assert WRONG not in str(caught.value)
        assert PASSWORD not in str(caught.value)


def test_a_user_without_rights_is_told_that_they_lack(apache_kafka: ApacheKafka, topic: str) -> None:
    access = replace(by_password(apache_kafka), sasl_username=STRANGER)
    publisher = KafkaPublisher(access, client_id="test", delivery_timeout=timedelta(seconds=2))
    with pytest.raises(EventBusUnavailable, match=r"authorization failed.*rights that docs/deployment.md lists"):
        publisher.send(topic, key=None, value=b"x", headers=[], timeout=WAIT)
    publisher.close()


def test_rights_that_are_given_later_let_what_is_owed_go(apache_kafka: ApacheKafka, topic: str) -> None:
    """Whether the client asks again by itself, or is replaced after a fatal error."""
    access = replace(by_password(apache_kafka), sasl_username=STRANGER)
    publisher = KafkaPublisher(access, client_id="test", delivery_timeout=timedelta(seconds=2))
    event = OutboxEvent(id="1", topic=topic, key="k", payload=b"{}", headers={})
    assert publisher.publish([event], timeout=WAIT) == []
    allow(apache_kafka, ResourceType.TOPIC, topic, AclOperation.WRITE, AclOperation.DESCRIBE)
    until(lambda: publisher.publish([event], timeout=WAIT) == ["1"], "it is sent")
    publisher.close()


def test_the_rights_that_are_documented_suffice(apache_kafka: ApacheKafka, topic: str) -> None:
    access = replace(by_password(apache_kafka), sasl_username=STRANGER)
    consumers = Consumers(apache_kafka.address(), topic, access)
    out = f"{topic}.out"
    make_topics(apache_kafka.address(), [out])
    allow(apache_kafka, ResourceType.TOPIC, topic, AclOperation.READ, AclOperation.DESCRIBE)
    for written in (out, consumers.dead_letters):
        allow(apache_kafka, ResourceType.TOPIC, written, AclOperation.WRITE, AclOperation.DESCRIBE)
    allow(apache_kafka, ResourceType.GROUP, consumers.group, AclOperation.READ)
    event = OutboxEvent(id="1", topic=out, key="k", payload=b"{}", headers={})
    until(lambda: consumers.publisher.publish([event], timeout=WAIT) == ["1"], "it is sent")  # as by the relay
    send(apache_kafka.address(), topic, body(1))
    send(apache_kafka.address(), topic, b"\x00poison")
    with consumers.one() as consumer:
        drive(consumer, until=lambda: sum(consumers.outcomes().values()) == 2)
    assert consumers.outcomes() == {"job": 1, "dead_lettered": 1}
    consumers.publisher.close()


def allow(kafka: ApacheKafka, kind: ResourceType, name: str, *operations: AclOperation) -> None:
    """Give the stranger these rights, and wait until the broker goes by them."""
    admin = AdminClient({"bootstrap.servers": kafka.address()})
    who = ("User:" + STRANGER, "*")
    rights = [
        AclBinding(kind, name, ResourcePatternType.LITERAL, *who, operation, AclPermissionType.ALLOW)
        for operation in operations
    ]
    for done in admin.create_acls(rights).values():
        done.result(WAIT.total_seconds())
    wanted = AclBindingFilter(kind, name, ResourcePatternType.LITERAL, *who, AclOperation.ANY, AclPermissionType.ALLOW)
    until(lambda: len(admin.describe_acls(wanted).result(WAIT.total_seconds())) >= len(rights), "the rights are known")


def test_a_service_that_is_not_let_in_says_so_and_is_ready_all_the_same(
    apache_kafka: ApacheKafka, postgres_server: PostgresServer
) -> None:
    access = replace(by_password_in_plain_text(apache_kafka), sasl_password=Secret(WRONG))
    database, topic = postgres_server.create_database(), f"test.{uuid4().hex}"
    with service_world(postgres_server, apache_kafka.address()) as world:
        with service_process(world.environ(database, topic) | environ_of(access)) as service:
            port = service.wait_for("service_started")["http_port"]
            [warned] = [line for line in service.lines() if line["event"] == "kafka_login_in_plain_text"]
            assert "sasl_ssl" in warned["remedy"]
            service.wait_for("kafka_error", where=lambda line: "KAFKA_SASL_PASSWORD" in line["remedy"])
            service.wait_for("dependency_down", where=lambda line: "KAFKA_SASL_PASSWORD" in line["detail"])
            ready = httpx.get(f"http://127.0.0.1:{port}/ready")
        assert ready.status_code == 200
        assert "No Kafka broker lets us in" in ready.text
        assert "KAFKA_SASL_PASSWORD" in ready.text
        assert WRONG not in ready.text + str(service.lines())


def environ_of(access: KafkaAccess) -> dict[str, str]:
    """The variables that say so."""
    texts = {name: getattr(access, name) for name in FIELDS}
    return {variable(name): text.reveal() if isinstance(text, Secret) else text for name, text in texts.items()}
