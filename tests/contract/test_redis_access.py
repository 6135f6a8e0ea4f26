"""A Redis that asks for a user, or that is reached over TLS; one that cannot be trusted counts as down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from mcsvc.adapters.clock import SystemClock
from mcsvc.adapters.redis import RedisCache
from mcsvc.config_values import Secret
from mcsvc.redis_access import RedisAccess
from tests.certificates import Authority, authority
from tests.tls_proxy import tls_in_front_of

HOUR = timedelta(hours=1)
PATIENCE = timedelta(seconds=30)
DOCS = Path(__file__).resolve().parents[2] / "docs" / "deployment.md"


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the service trusts."""
    return authority(tmp_path_factory.mktemp("trusted"))


@pytest.fixture
def over_tls(redis_server: tuple[redis.Redis, int], trusted: Authority) -> Iterator[RedisAccess]:
    """The way to a Redis behind TLS."""
    with tls_in_front_of(redis_server[1], trusted.sign("redis")) as port:
        yield RedisAccess(host="127.0.0.1", port=port, tls=True, ca_file=str(trusted.own.certificate))


@pytest.fixture
def user(redis_server: tuple[redis.Redis, int]) -> Iterator[RedisAccess]:
    """The way to a Redis as a user who may do what the documentation says, and no more."""
    server, port = redis_server
    [documented] = re.findall(r"^ACL SETUSER (mcsvc on >PASSWORD .*)$", DOCS.read_text(), re.MULTILINE)
    server.execute_command("ACL SETUSER", *documented.split())
    yield RedisAccess(host="127.0.0.1", port=port, username="mcsvc", password=Secret("PASSWORD"))
    server.acl_deluser("mcsvc")


def works(access: RedisAccess) -> bool:
    """Whether it does all that a cache does."""
    cache = RedisCache(SystemClock(), access, timeout=PATIENCE)
    try:
        cache.put("k", b"v" * 100_000, ttl=HOUR)
        kept = cache.get("k")
        cache.drop("k")
        return cache.alive() and kept == b"v" * 100_000 and cache.get("k") is None
    finally:
        cache.close()


def why_down(access: RedisAccess, caplog: pytest.LogCaptureFixture) -> str:
    """What the log says of a cache that is down."""
    cache = RedisCache(SystemClock(), access, timeout=PATIENCE)
    assert not cache.alive()
    cache.close()
    [told] = [each for each in caplog.records if each.message == "cache_down"]
    return str(told.__dict__)


def test_redis_is_used_over_tls(over_tls: RedisAccess) -> None:
    assert works(over_tls)


@pytest.mark.parametrize("ca", ["", "another"])
def test_a_certificate_that_nobody_trusted_has_signed_is_refused(
    over_tls: RedisAccess, ca: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = str(authority(tmp_path, ca).own.certificate) if ca else ""
    assert "certificate verify failed" in why_down(replace(over_tls, ca_file=file), caplog)


def test_a_certificate_of_another_name_is_refused(over_tls: RedisAccess, caplog: pytest.LogCaptureFixture) -> None:
    assert "Hostname mismatch" in why_down(replace(over_tls, host="localhost"), caplog)


def test_a_user_of_the_acl_needs_no_more_than_is_documented(user: RedisAccess) -> None:
    assert works(user)


@pytest.mark.parametrize("change", [{"password": Secret("guess")}, {"username": "nobody"}])
def test_a_login_that_redis_refuses_is_told_without_the_password(
    user: RedisAccess, change: dict[str, Secret], caplog: pytest.LogCaptureFixture
) -> None:
    said = why_down(replace(user, **change), caplog)  # type: ignore[arg-type]  # fields of it
    assert "invalid username-password pair" in said
    assert "guess" not in said
    assert "PASSWORD" not in said


def test_a_user_is_asked_for_over_tls_too(over_tls: RedisAccess, user: RedisAccess) -> None:
    assert works(replace(over_tls, username=user.username, password=user.password))
