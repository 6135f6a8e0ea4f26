"""How Kafka is reached: contradictions are named all at once, and librdkafka gets what was said."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, Producer

from mcsvc.config import ConfigError, load_kafka
from mcsvc.domain.errors import EventBusUnavailable
from mcsvc.kafka_access import KafkaAccess
from mcsvc.kafka_troubles import LOGGER, Troubles, ask, remedy
from tests.certificates import Authority, authority

PLAIN = {"KAFKA_BROKERS": "kafka:9092"}
LOGIN = {
    **PLAIN,
    "KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "mcsvc",
    "KAFKA_SASL_PASSWORD": "hunter2",
}


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority of these tests."""
    return authority(tmp_path_factory.mktemp("certificates"))


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_kafka(environ)
    assert "hunter2" not in str(caught.value)
    return caught.value.problems


def without(environ: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in names}


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("protocol", ["sasl_plaintext", "sasl_ssl"])
def test_a_login_that_is_accepted_is_one_that_the_client_takes(protocol: str, mechanism: str) -> None:
    access = load_kafka(LOGIN | {"KAFKA_SECURITY_PROTOCOL": protocol, "KAFKA_SASL_MECHANISM": mechanism})
    assert access.client("c")["sasl.password"] == "hunter2"
    Producer(access.client("c"))


def test_certificates_that_are_accepted_are_some_that_the_client_takes(signer: Authority) -> None:
    own = signer.sign("client")
    files = {
        "KAFKA_SECURITY_PROTOCOL": "ssl",
        "KAFKA_CA_FILE": str(signer.own.certificate),
        "KAFKA_CERTIFICATE_FILE": str(own.certificate),
        "KAFKA_KEY_FILE": str(own.key),
    }
    Producer(load_kafka(PLAIN | files).client("c"))


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        (
            without(LOGIN, "KAFKA_SECURITY_PROTOCOL"),
            "is plaintext, which has no login, with KAFKA_SASL_MECHANISM, KAFKA_",
        ),
        (without(LOGIN, "KAFKA_SECURITY_PROTOCOL"), "set it to sasl_ssl"),
        (PLAIN | {"KAFKA_SASL_PASSWORD": "hunter2"}, "which has no login, with KAFKA_SASL_PASSWORD"),
        (without(LOGIN, "KAFKA_SASL_USERNAME"), "which logs in, without KAFKA_SASL_USERNAME: set"),
        (without(LOGIN, "KAFKA_SASL_PASSWORD", "KAFKA_SASL_MECHANISM"), "KAFKA_SASL_MECHANISM and KAFKA_SASL_PASSWORD"),
        (LOGIN | {"KAFKA_SECURITY_PROTOCOL": "ssl"}, "is ssl, which has no login"),
    ],
)
def test_a_login_that_is_half_given_is_named_with_its_remedy(environ: dict[str, str], told: str) -> None:
    [problem] = problems(environ)
    assert problem.startswith("KAFKA_SECURITY_PROTOCOL")
    assert told in problem


def test_certificates_without_tls_and_half_a_pair_are_named_beside_all_else(signer: Authority) -> None:
    environ = {
        "KAFKA_BROKERS": "kafka",
        "KAFKA_SASL_PASSWORD": "hunter2",
        "KAFKA_CA_FILE": "/there/is/none",
        "KAFKA_CERTIFICATE_FILE": str(signer.own.certificate),
    }
    brokers, file, login, tls, pair = problems(environ)
    assert brokers.startswith("KAFKA_BROKERS is 'kafka'")
    assert file.startswith("KAFKA_CA_FILE is '/there/is/none', which cannot be read (No such file")
    assert "KAFKA_SASL_PASSWORD" in login
    assert "speaks no TLS, with KAFKA_CERTIFICATE_FILE: set it to ssl" in tls
    assert pair == "KAFKA_CERTIFICATE_FILE is set without KAFKA_KEY_FILE: set both, or neither."


def test_a_key_of_another_or_with_a_password_is_refused_before_anything_connects(
    signer: Authority, tmp_path: Path
) -> None:
    mine, other = signer.sign("mine"), signer.sign("other")
    locked = tmp_path / "locked.key"
    command = ["openssl", "pkcs8", "-topk8", "-in", str(mine.key), "-out", str(locked), "-passout", "pass:hunter2"]
    subprocess.run(command, check=True)
    for key in (other.key, locked, mine.certificate):
        environ = {"KAFKA_SECURITY_PROTOCOL": "ssl", "KAFKA_CERTIFICATE_FILE": str(mine.certificate)}
        [problem] = problems(PLAIN | environ | {"KAFKA_KEY_FILE": str(key)})
        assert str(key) in problem
        assert "without a password: give the two that belong together" in problem


def test_only_a_login_in_plain_text_is_warned_of() -> None:
    told = load_kafka(LOGIN | {"KAFKA_SECURITY_PROTOCOL": "sasl_plaintext"}).exposed()
    assert "can be guessed" in told
    assert "sasl_ssl" in told
    assert "hunter2" not in told
    assert not load_kafka(LOGIN).exposed()
    assert not load_kafka(PLAIN).exposed()


def test_nothing_of_the_password_is_in_the_text_of_an_access() -> None:
    assert "hunter2" not in f"{load_kafka(LOGIN)!r} {load_kafka(LOGIN)}"


def test_an_error_that_repeats_itself_is_said_once_a_minute() -> None:
    now = [0.0]
    troubles = Troubles(monotonic=lambda: now[0])
    one = KafkaError(KafkaError._AUTHENTICATION, "a/1: refused (after 310ms in state AUTH_REQ)")
    same = KafkaError(KafkaError._AUTHENTICATION, "a/1: refused (after 325ms in state AUTH_REQ)")
    assert [troubles.hear(one), troubles.hear(same)] == [True, False]
    now[0] = 61.0
    assert troubles.hear(same)


def test_librdkafka_s_own_lines_are_let_through_once_while_they_repeat(caplog: pytest.LogCaptureFixture) -> None:
    for took_ms in (310, 325, 301):
        LOGGER.warning("FAIL [c#producer-1]: refused (after %dms in state AUTH_REQ)", took_ms)
    LOGGER.warning("FAIL [c#producer-2]: refused (after 310ms in state AUTH_REQ)")
    assert len(caplog.records) == 2


def test_the_reason_stands_until_a_broker_answers() -> None:
    troubles = Troubles()
    silence = KafkaError(KafkaError._TRANSPORT, "Broker transport failure")
    troubles.hear(KafkaError(KafkaError._AUTHENTICATION, "SASL authentication error"))
    troubles.hear(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert troubles.refused()
    assert troubles.why(silence).startswith("SASL authentication error. Check KAFKA_SASL_USERNAME")
    troubles.forget()
    assert troubles.why(silence).startswith("Broker transport failure. Check KAFKA_BROKERS")


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (KafkaError(KafkaError._SSL, "certificate verify failed"), "KAFKA_CA_FILE"),
        (KafkaError(KafkaError._TRANSPORT, "Receive failed: SSL routines::alert"), "KAFKA_CERTIFICATE_FILE"),
        (KafkaError(KafkaError._TRANSPORT, "Connection refused"), "KAFKA_SECURITY_PROTOCOL"),
        (KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED), "rights"),
        (KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), "max.message.bytes"),
        (KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART), "topic"),
        (KafkaError(KafkaError._UNKNOWN_TOPIC), "topic"),
        (KafkaError(KafkaError._RESOLVE), "KAFKA_BROKERS"),
        (KafkaError(KafkaError.UNSUPPORTED_SASL_MECHANISM), "KAFKA_SASL_MECHANISM"),
        (KafkaError(KafkaError.NOT_ENOUGH_REPLICAS), "goes on by itself"),
        (KafkaError(KafkaError._MAX_POLL_EXCEEDED), "goes on by itself"),
    ],
)
def test_each_error_has_its_remedy(error: KafkaError, named: str) -> None:
    assert named in remedy(error)


def test_that_no_broker_is_up_is_told_without_counting_those_that_were_never_there() -> None:
    troubles = Troubles()
    troubles.hear(KafkaError(KafkaError._ALL_BROKERS_DOWN, "0/2 brokers are down"))
    assert troubles.why().startswith("Check KAFKA_BROKERS")


class _Denying:
    """A client whose broker lets it read no topic."""

    def list_topics(self, topic: str, *, timeout: float) -> SimpleNamespace:
        denied = SimpleNamespace(error=KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), partitions={})
        return SimpleNamespace(topics={topic: denied})


def test_a_topic_that_may_not_be_seen_is_not_told_as_missing() -> None:
    with pytest.raises(EventBusUnavailable, match=r"secret is not to be read: .*rights"):
        ask(_Denying(), Troubles(), within_s=1, topic="secret")  # type: ignore[arg-type]


def test_an_access_needs_no_more_than_the_brokers() -> None:
    assert load_kafka(PLAIN) == KafkaAccess(brokers="kafka:9092")
