"""How Kafka is reached: where the brokers are, and how each side proves to the other who it is.

The only place that writes librdkafka's settings of the connection, whoever produces, consumes or asks.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from mcsvc.config_values import NO_SECRET, Secret

PROTOCOLS = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

_LOGIN = ("sasl_mechanism", "sasl_username", "sasl_password")
_TLS = ("ca_file", "certificate_file", "key_file")
_PROTOCOL = "KAFKA_SECURITY_PROTOCOL"


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaAccess:
    """Each field is the variable `KAFKA_…` of its name, empty if that is not set. The files are PEM."""

    brokers: str
    security_protocol: str = "plaintext"
    sasl_mechanism: str = ""
    sasl_username: str = ""
    sasl_password: Secret = NO_SECRET
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""

    def client(self, client_id: str) -> dict[str, Any]:
        """librdkafka's settings of the connection. Without a CA file it trusts those of the system."""
        chosen = {
            "bootstrap.servers": self.brokers,
            "client.id": client_id,
            "security.protocol": self.security_protocol,
            "sasl.mechanism": self.sasl_mechanism,
            "sasl.username": self.sasl_username,
            "sasl.password": self.sasl_password.reveal(),
            "ssl.ca.location": self.ca_file,
            "ssl.certificate.location": self.certificate_file,
            "ssl.key.location": self.key_file,
        }
        return {name: value for name, value in chosen.items() if value}

    def exposed(self) -> str:
        """What a login in plain text gives away, and the remedy; empty where there is none."""
        if self.security_protocol != "sasl_plaintext":
            return ""
        lost = "is readable" if self.sasl_mechanism == "PLAIN" else "can be guessed from what is sent"
        return (
            f"{_PROTOCOL} is sasl_plaintext: the password {lost} on the way to the brokers, as is every message. "
            "Use a listener of theirs that speaks TLS, and sasl_ssl."
        )


FIELDS = tuple(each.name for each in fields(KafkaAccess))


def variable(field: str) -> str:
    """The variable of the environment that a field is read from."""
    return f"KAFKA_{field.upper()}"


def contradictions(given: Mapping[str, Any]) -> list[str]:
    """What is wrong with fields that are right each by itself, with the remedy. `given` lacks the others."""
    protocol = given.get("security_protocol")
    if protocol is None:
        return []
    login = {variable(name): given[name] for name in _LOGIN if name in given}
    tls = {variable(name): given[name] for name in _TLS if name in given}
    return [
        *_of_the_login(protocol, login),
        *_without_use(protocol, tls, needs="ssl", what="speaks no TLS"),
        *_of_the_pair(given.get("certificate_file"), given.get("key_file")),
    ]


def _of_the_login(protocol: str, login: Mapping[str, Any]) -> list[str]:
    if not protocol.startswith("sasl"):
        return _without_use(protocol, login, needs="sasl", what="has no login")
    missing = _listed(name for name, value in login.items() if not value)
    return [f"{_PROTOCOL} is {protocol}, which logs in, without {missing}: set what is missing."] if missing else []


def _without_use(protocol: str, given: Mapping[str, Any], *, needs: str, what: str) -> list[str]:
    unused = _listed(name for name, value in given.items() if value)
    if not unused or needs in protocol.split("_"):
        return []
    other = "ssl" if (protocol, needs) == ("plaintext", "ssl") else "sasl_ssl"
    return [f"{_PROTOCOL} is {protocol}, which {what}, with {unused}: set it to {other}, or unset the others."]


def _of_the_pair(certificate: str | None, key: str | None) -> list[str]:
    if certificate is None or key is None or not (certificate or key):
        return []
    if not (certificate and key):
        there, absent = map(variable, _TLS[1:] if certificate else _TLS[:0:-1])
        return [f"{there} is set without {absent}: set both, or neither."]
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError):
        what = f"{certificate!r} and {key!r}, are not a PEM certificate and its own PEM key without a password"
        return [f"KAFKA_CERTIFICATE_FILE and KAFKA_KEY_FILE, {what}: give the two that belong together."]
    return []


def _listed(names: Iterable[str]) -> str:
    *first, last = [*names] or [""]
    return f"{', '.join(first)} and {last}" if first else last
