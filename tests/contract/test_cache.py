"""What every cache promises, by the fake and by Redis; and what Redis promises when it is down."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis

from mcsvc.adapters.clock import SystemClock
from mcsvc.adapters.memory.cache import MemoryCache
from mcsvc.adapters.memory.clock import ManualClock
from mcsvc.adapters.no_cache import NoCache
from mcsvc.adapters.redis import RedisCache
from mcsvc.ports.cache import Cache
from mcsvc.redis_access import RedisAccess
from tests.redis_server import free_port

HOUR = timedelta(hours=1)


@pytest.fixture(params=["memory", "redis"])
def cache(request: pytest.FixtureRequest) -> Iterator[Cache]:
    """Each cache in turn, empty."""
    if request.param == "memory":
        yield MemoryCache(ManualClock())
        return
    server, port = request.getfixturevalue("redis_server")
    server.flushall()
    with_redis = RedisCache(SystemClock(), RedisAccess(host="127.0.0.1", port=port))
    yield with_redis
    with_redis.close()


def test_a_value_put_is_got_until_dropped(cache: Cache) -> None:
    assert cache.get("k") is None
    cache.put("k", b"\x00v", ttl=HOUR)
    assert cache.get("k") == b"\x00v"
    cache.put("k", b"w", ttl=HOUR)
    assert cache.get("k") == b"w"
    cache.drop("k")
    cache.drop("k")
    assert cache.get("k") is None


def test_it_is_alive(cache: Cache) -> None:
    assert cache.alive()


def test_keys_are_apart(cache: Cache) -> None:
    cache.put("a", b"1", ttl=HOUR)
    assert cache.get("b") is None


def test_redis_expires_values(redis_server: tuple[redis.Redis, int]) -> None:
    server, port = redis_server
    cache = RedisCache(SystemClock(), RedisAccess(host="127.0.0.1", port=port))
    cache.put("k", b"v", ttl=HOUR)
    assert 0 < server.pttl("mcsvc:k") <= HOUR.total_seconds() * 1000
    cache.close()


def test_a_redis_that_is_down_misses_and_drops_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    cache = RedisCache(ManualClock(), RedisAccess(host="127.0.0.1", port=free_port()))
    assert cache.get("k") is None
    cache.put("k", b"v", ttl=HOUR)
    cache.drop("k")
    assert not cache.alive()
    assert [each.message for each in caplog.records if each.levelname == "WARNING"] == ["cache_down"]
    cache.close()


def test_a_redis_that_failed_is_left_alone_for_a_while(redis_server: tuple[redis.Redis, int]) -> None:
    _, port = redis_server
    clock = ManualClock()
    cache = RedisCache(clock, RedisAccess(host="127.0.0.1", port=port), rest=timedelta(seconds=2))
    cache.put("k", b"v", ttl=HOUR)
    _break_once(cache)
    assert cache.get("k") is None
    assert cache.get("k") is None, "asked again too soon"
    clock.advance(timedelta(seconds=3))
    assert cache.get("k") == b"v"
    cache.close()


def test_no_cache_never_has_anything() -> None:
    cache = NoCache()
    cache.put("k", b"v", ttl=HOUR)
    cache.drop("k")
    assert cache.get("k") is None
    assert not cache.alive()


def _break_once(cache: RedisCache) -> None:
    """The next question fails as if the connection broke."""
    client: Any = cache._redis
    real = client.get

    def broken(*_args: object) -> object:
        client.get = real
        raise ConnectionResetError("reset")

    client.get = broken
