"""Which parts the stack has: an embedded one, or the real one that the caller's environment names."""

from __future__ import annotations

import os

from mcsvc.devstack.broker import EmbeddedBroker, NamedBrokers
from mcsvc.devstack.core import SampleCoreService
from mcsvc.devstack.engine import LocalEngine
from mcsvc.devstack.parts import External, Part, is_named
from mcsvc.devstack.postgres import EmbeddedPostgres, NamedDatabase
from mcsvc.devstack.redis import EmbeddedRedis, NamedRedis, redis_server
from mcsvc.devstack.service import LocalService

NO_REDIS = (
    "No Redis: none is packaged for this Python (3.13 or later) and no redis-server is on the PATH. "
    "The service works without it and caches in its own process."
)


def parts(*, grpc_port: int, http_port: int) -> list[Part]:
    """Every part, the service last."""
    engine = _engine()
    supports = [_database(), _brokers(), *_cache(), _core_service()]
    service = LocalService(
        grpc_port=grpc_port,
        http_port=http_port,
        engine_url=engine.url if isinstance(engine, LocalEngine) else os.environ["RAY_SERVE_URL"],
        needs=tuple(part.name for part in supports),
    )
    return [*supports, engine, service]


def lacks_redis(chosen: list[Part]) -> bool:
    """True if the stack runs without Redis; NO_REDIS says why."""
    return all(part.name != "redis" for part in chosen)


def _database() -> Part:
    if is_named("DATABASE_URL"):
        return NamedDatabase()
    return EmbeddedPostgres()


def _brokers() -> Part:
    if is_named("KAFKA_BROKERS"):
        return NamedBrokers()
    return EmbeddedBroker()


def _cache() -> list[Part]:
    if is_named("REDIS_HOST"):
        return [NamedRedis()]
    executable = redis_server()
    return [EmbeddedRedis(executable=executable)] if executable else []


def _core_service() -> Part:
    if is_named("CORE_SERVICE_URL"):
        return External(name="core-service", title="Core Service", variable="CORE_SERVICE_URL", default_port=80)
    return SampleCoreService()


def _engine() -> Part:
    if is_named("RAY_SERVE_URL"):
        return External(name="engine", title="Simulator", variable="RAY_SERVE_URL", default_port=9000)
    return LocalEngine()
