"""One real Apache Kafka a test run (KRaft, one node, loopback), for the wide suite. It can be killed and started again.

It is the installation that KAFKA_HOME names, else what mvn fetches once into .cache. It ends with this process, however
this process ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from mcsvc.devstack.child import Child
from mcsvc.devstack.ports import LOOPBACK, free_port
from mcsvc.devstack.run import Run
from tests.certificates import Authority, authority

VERSION: Final = "4.1.1"
USER, STRANGER, PASSWORD = "mcsvc", "stranger", "hunter2-of-kafka"
"""Two users with one password; the stranger may do nothing."""

_CACHE: Final = Path(__file__).parents[1] / ".cache" / f"apache-kafka-{VERSION}"
_START_S, _FETCH_S = 90.0, 600.0
_NEEDED: Final = (("org.apache.kafka", "kafka_2.13", VERSION), ("org.slf4j", "slf4j-simple", "1.7.36"))
_PROTOCOLS: Final = {
    "OPEN": "PLAINTEXT",
    "PASSWORD": "SASL_PLAINTEXT",
    "LOGIN": "SASL_SSL",
    "MUTUAL": "SSL",
    "CONTROLLER": "PLAINTEXT",
}
_JAVA: Final = ["java", "-Xmx320m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
_LOG: Final = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
_PLAIN, _SCRAM = (
    f"org.apache.kafka.common.security.{name}LoginModule required" for name in ("plain.Plain", "scram.Scram")
)


@dataclass(kw_only=True)
class ApacheKafka:
    """A running broker. Its listeners: without a login, by PLAIN in plain text, by SCRAM over TLS, by certificate."""

    run: Run
    libraries: Path
    properties: Path
    trust: Authority
    ports: dict[str, int]
    server: Child | None = None

    def address(self, listener: str = "OPEN") -> str:
        """Where a listener is."""
        return f"{LOOPBACK}:{self.ports[listener]}"

    def start(self) -> None:
        """Start it, with what it had, and wait until it answers."""
        command = [*self._java("kafka.Kafka"), str(self.properties)]
        self.server = self.run.spawn("kafka", command, stop_signal=signal.SIGKILL)  # in order it takes 15 s
        self.server.wait_ready(self._answers, timeout_s=_START_S, stop=self.run.stop)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.server is not None
        self.server.stop(grace_s=10)

    def format(self) -> None:
        """Make its empty storage, with the users in it."""
        users = [f"SCRAM-SHA-512=[name={name},password={PASSWORD}]" for name in (USER, STRANGER)]
        words = ["format", "--cluster-id", "A" * 22, "--config", str(self.properties)]
        words += [word for user in users for word in ("--add-scram", user)]
        tool = [*self._java("kafka.tools.StorageTool"), *words]
        done = subprocess.run(tool, capture_output=True, text=True, check=False)
        if "UnsupportedClassVersionError" in done.stderr:
            pytest.skip("the java on the PATH is older than Apache Kafka takes: install 17 or later")
        assert done.returncode == 0, done.stdout + done.stderr

    def _java(self, main: str) -> list[str]:
        return [*_JAVA, _LOG, "-cp", f"{self.libraries}/*", main]

    def _answers(self) -> bool:
        try:
            admin = AdminClient({"bootstrap.servers": self.address(), "log_level": 0})
            return bool(admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False


@pytest.fixture(scope="session")
def apache_kafka() -> Iterator[ApacheKafka]:
    """The broker of this test run. Skips what asks for it where there is none to run."""
    libraries = _libraries()
    run = Run()
    try:
        kafka = ApacheKafka(
            run=run,
            libraries=libraries,
            properties=run.directory / "server.properties",
            trust=authority(run.folder("certificates")),
            ports={listener: free_port() for listener in _PROTOCOLS},
        )
        kafka.properties.write_text("".join(f"{name}={value}\n" for name, value in _properties(kafka).items()))
        kafka.format()
        kafka.start()
        yield kafka
    finally:
        run.close()


EACH_BROKER: Final = ("mock", pytest.param("apache", marks=pytest.mark.slow))
"""The parameters of a fixture `kafka_brokers` of a module whose tests hold on both."""


def address_of(request: pytest.FixtureRequest) -> str:
    """The bootstrap address of the broker that a fixture of EACH_BROKER is asked for."""
    if request.param == "mock":
        mock: str = request.getfixturevalue("kafka_brokers")
        return mock
    apache: ApacheKafka = request.getfixturevalue("apache_kafka")
    return apache.address()


def _properties(kafka: ApacheKafka) -> dict[str, object]:
    listeners = ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in kafka.ports.items())
    server = kafka.trust.sign("broker")
    keystore = server.key.with_suffix(".pem")
    keystore.write_text(server.key.read_text() + server.certificate.read_text())
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{kafka.address('CONTROLLER')}",
        "controller.listener.names": "CONTROLLER",
        "listeners": listeners,
        "inter.broker.listener.name": "OPEN",
        "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, kind in _PROTOCOLS.items()),
        "listener.name.password.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.password.plain.sasl.jaas.config": f'{_PLAIN} user_{USER}="{PASSWORD}";',
        "listener.name.login.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.login.scram-sha-512.sasl.jaas.config": f"{_SCRAM};",
        "listener.name.mutual.ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": keystore,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": kafka.trust.own.certificate,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:ANONYMOUS;User:{USER};User:CN={USER}",
        "log.dirs": kafka.run.directory / "kafka-data",
        "num.partitions": 4,
        "message.max.bytes": 2_000_000,
        "offsets.topic.num.partitions": 2,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
    }


def _libraries() -> Path:
    """The folder of its jars. Skips where it can neither be found nor fetched, or where no Java runs it."""
    if shutil.which("java") is None:
        pytest.skip("no java, which runs Apache Kafka: install a JRE, 17 or later")
    named = os.environ.get("KAFKA_HOME")
    if named:
        return Path(named) / "libs"
    if not _CACHE.exists():
        _fetch()
    return _CACHE


def _fetch() -> None:
    """By Maven, from where its own configuration says."""
    if shutil.which("mvn") is None:
        pytest.skip("no Apache Kafka: name an installation by KAFKA_HOME, or install mvn, which fetches one")
    _CACHE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE.parent) as name:
        folder = Path(name)
        (folder / "pom.xml").write_text(_pom())
        command = ["mvn", "--batch-mode", "--quiet", "dependency:copy-dependencies", "-DincludeScope=runtime"]
        done = subprocess.run(
            [*command, f"-DoutputDirectory={folder / 'libs'}"],
            cwd=folder,
            timeout=_FETCH_S,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            why = (done.stdout or done.stderr).strip().partition("\n")[0]
            pytest.skip(f"mvn cannot fetch Apache Kafka {VERSION}; name an installation by KAFKA_HOME. It says: {why}")
        (folder / "libs").rename(_CACHE)


def _pom() -> str:
    wanted = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
        for group, name, version in _NEEDED
    )
    head = "<modelVersion>4.0.0</modelVersion><groupId>test</groupId><artifactId>kafka</artifactId><version>1</version>"
    return f"<project>{head}<packaging>pom</packaging><dependencies>{wanted}</dependencies></project>\n"
