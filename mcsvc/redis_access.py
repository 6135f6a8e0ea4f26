"""How Redis is reached: where it is, and how each side proves to the other who it is."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mcsvc.config_values import NO_SECRET, Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAccess:
    """Each field is the variable `REDIS_…` of its name, empty if that is not set."""

    host: str
    port: int = 6379
    username: str = ""
    password: Secret = NO_SECRET
    tls: bool = False
    ca_file: str = ""

    def client(self, *, timeout: timedelta) -> redis.Redis:
        """A client that waits for no answer longer than this, and asks once. With TLS it checks the server's name."""
        seconds = timeout.total_seconds()
        return redis.Redis(
            host=self.host,
            port=self.port,
            username=self.username or None,
            password=self.password.reveal() or None,
            ssl=self.tls,
            ssl_ca_certs=self.ca_file or None,
            ssl_min_version=ssl.TLSVersion.TLSv1_2,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            retry=Retry(NoBackoff(), 0),
        )


FIELDS = tuple(each.name for each in fields(RedisAccess))


def variable(field: str) -> str:
    """The variable of the environment that a field is read from."""
    return f"REDIS_{field.upper()}"


def contradictions(given: Mapping[str, Any]) -> list[str]:
    """What is wrong with fields that are right each by itself, with the remedy. `given` lacks the others."""
    found = []
    if given.get("ca_file") and given.get("tls") is False:
        found.append("REDIS_CA_FILE is set, and REDIS_TLS is false: set REDIS_TLS to true, or unset the file.")
    if given.get("username") and given.get("password") == NO_SECRET:
        found.append("REDIS_USERNAME is set without REDIS_PASSWORD: set both, or the password alone.")
    return found
