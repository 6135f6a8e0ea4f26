"""The only place where concrete classes meet: the service, put together from its configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import uuid4

from mcsvc.adapters.clock import SystemClock
from mcsvc.adapters.core_service import CoreServiceSettings, HttpCoreService
from mcsvc.adapters.kafka import KafkaPublisher
from mcsvc.adapters.no_cache import NoCache
from mcsvc.adapters.postgres.migrate import migrate
from mcsvc.adapters.postgres.session import Session, open_pool
from mcsvc.adapters.postgres.store import PostgresJobStore
from mcsvc.adapters.ray_serve import RayServeSimulator
from mcsvc.adapters.redis import RedisCache
from mcsvc.app.cancel_simulation import CancelSimulation
from mcsvc.app.forget_old import ForgetOld
from mcsvc.app.get_simulation import GetSimulation
from mcsvc.app.ingest_assessment import IngestAssessment
from mcsvc.app.list_simulations import ListSimulations
from mcsvc.app.relay_events import RelayEvents
from mcsvc.app.rescue_jobs import RescueJobs
from mcsvc.app.run_job import RunJob
from mcsvc.app.run_policy import RunPolicy
from mcsvc.app.sweep_funded_accounts import SweepFundedAccounts
from mcsvc.app.trigger_simulation import TriggerRequest, TriggerSimulation
from mcsvc.app.watch_simulation import WatchSimulation
from mcsvc.config import Config
from mcsvc.domain.errors import Retryable
from mcsvc.domain.job import Job, JobId
from mcsvc.ending import Countdown
from mcsvc.entrypoints.api.use_cases import UseCases
from mcsvc.entrypoints.assessment_inbox import AssessmentInbox
from mcsvc.entrypoints.backlog import ping_and_tell
from mcsvc.entrypoints.dead_letters import DeadLetters
from mcsvc.entrypoints.grpc.server import GrpcLimits, GrpcServer
from mcsvc.entrypoints.http.app import HttpApi
from mcsvc.entrypoints.http.server import HttpServer
from mcsvc.entrypoints.kafka_consumer import AssessmentConsumer, ConsumerSettings
from mcsvc.entrypoints.monitor import Dependency, Monitor
from mcsvc.entrypoints.scheduler import SweepScheduler
from mcsvc.entrypoints.service import Parts, Service, ServiceSettings
from mcsvc.entrypoints.worker import WorkerPool, WorkerSettings
from mcsvc.observability.metrics import Metrics
from mcsvc.observability.telemetry import Telemetry

_PUBLISH_WITHIN = timedelta(seconds=5)
_CLOSE_WITHIN_S = 1.0
_RENEW_AT_LEAST_EVERY = timedelta(seconds=1)  # a cancelled run learns of it when it renews


class CacheDown(Retryable):
    """Redis does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """The ports, fulfilled. `lease_store` has a connection of its own, which no crowd can take from it."""

    clock: SystemClock
    store: PostgresJobStore
    lease_store: PostgresJobStore
    cache: RedisCache | NoCache
    publisher: KafkaPublisher
    simulator: RayServeSimulator
    core: HttpCoreService

    def close(self) -> None:
        """Close what holds connections, the store last."""
        self.publisher.close()
        self.simulator.close()
        self.core.close()
        if isinstance(self.cache, RedisCache):
            self.cache.close()
        for store in (self.lease_store, self.store):
            store.session.pool.close(timeout=_CLOSE_WITHIN_S)  # a database that is away must not hold up the end


def open_adapters(config: Config, told: Telemetry) -> Adapters:
    """All adapters. None connects yet: what is down now may come up later."""
    clock = SystemClock()
    return Adapters(
        clock=clock,
        store=_store(config, connections=config.database_pool),
        lease_store=_store(config, connections=1),
        cache=_cache(config, clock),
        publisher=KafkaPublisher(
            config.kafka_access(), client_id=config.kafka_client_id, delivery_timeout=_PUBLISH_WITHIN
        ),
        simulator=RayServeSimulator(config.ray_serve_url, told.tracer, told.metrics),
        core=HttpCoreService(
            CoreServiceSettings(base_url=config.core_service_url, token=config.core_service_token.reveal())
        ),
    )


def build_service(
    config: Config, told: Telemetry, adapters: Adapters, ending: Countdown, *, migrating: bool
) -> Service:
    """The service over these adapters; `migrating` brings the schema up to date at the start.

    `ending` is the time a stop may take; what the caller closes after it is to end within it too.
    """
    trigger = TriggerSimulation(
        store=adapters.store, clock=adapters.clock, new_id=lambda: JobId(uuid4()), max_attempts=config.max_attempts
    )
    use = _use_cases(config, adapters, _counted(trigger, told.metrics))
    monitor = Monitor(_dependencies(adapters, told.metrics), told.metrics)
    api = HttpApi(use=use, monitor=monitor, prometheus=told.prometheus, tracer=told.tracer, metrics=told.metrics)
    limits = GrpcLimits(unary_calls=config.grpc_threads, watch_streams=config.max_watchers)
    address = f"{_bracketed(config.bind_host)}:{config.grpc_port}"
    parts = Parts(
        monitor=monitor,
        grpc=GrpcServer(use, told.tracer, told.metrics, limits, address=address),
        http=HttpServer(api.app(), host=config.bind_host, port=config.http_port, grace=config.shutdown_timeout * 0.25),
        worker=_worker(config, adapters),
        consumer=_consumer(config, told, adapters, trigger),
        scheduler=_scheduler(config, told, adapters, trigger),
        clock=adapters.clock,
    )

    def prepare() -> None:
        if migrating:
            migrate(config.database_url.reveal())
        adapters.store.ping()

    settings = ServiceSettings(
        prepare=prepare,
        startup_timeout=config.startup_timeout,
        ending=ending,
        monitor_interval=config.monitor_interval,
    )
    return Service(parts, settings)


def _store(config: Config, *, connections: int) -> PostgresJobStore:
    pool = open_pool(config.database_url.reveal(), size=connections, wait=config.database_wait)
    return PostgresJobStore(session=Session(pool=pool))


def _cache(config: Config, clock: SystemClock) -> RedisCache | NoCache:
    if not config.redis_host:
        return NoCache()
    return RedisCache(clock, config.redis_access())


def _use_cases(config: Config, adapters: Adapters, trigger: Callable[[TriggerRequest], Job]) -> UseCases:
    store = adapters.store
    return UseCases(
        trigger=trigger,
        get=GetSimulation(store=store, cache=adapters.cache),
        find=ListSimulations(store=store),
        watch=WatchSimulation(
            store=store, clock=adapters.clock, poll=config.watch_poll, heartbeat=config.watch_heartbeat
        ),
        cancel=CancelSimulation(store=store),
    )


def _counted(trigger: TriggerSimulation, metrics: Metrics) -> Callable[[TriggerRequest], Job]:
    def counted(request: TriggerRequest) -> Job:
        job = trigger(request)
        metrics.jobs_triggered.add(1, {"trigger": request.trigger.value})
        return job

    return counted


def _worker(config: Config, adapters: Adapters) -> WorkerPool:
    store = adapters.store
    policy = RunPolicy(
        timeout=config.run_timeout,
        outage_patience=config.outage_patience,
        backoff_base=config.backoff_base,
        backoff_cap=config.backoff_cap,
    )
    run_job = RunJob(store=store, core=adapters.core, simulator=adapters.simulator, clock=adapters.clock, policy=policy)
    settings = WorkerSettings(
        threads=config.workers,
        lease=config.lease,
        renew_every=min(_RENEW_AT_LEAST_EVERY, config.lease / 10),
        poll_every=config.worker_poll,
        grace=config.shutdown_timeout * 0.4,
        halt_within=config.shutdown_timeout * 0.2,
    )
    return WorkerPool(
        store=store,
        lease_store=adapters.lease_store,
        run_job=run_job,
        rescue=RescueJobs(store=store, policy=policy),
        forget=ForgetOld(store=store, keep_jobs=config.keep_jobs, keep_events=config.keep_events),
        relay=RelayEvents(store=store, publisher=adapters.publisher, timeout=_PUBLISH_WITHIN, hold=_PUBLISH_WITHIN * 2),
        settings=settings,
    )


def _consumer(config: Config, told: Telemetry, adapters: Adapters, trigger: TriggerSimulation) -> AssessmentConsumer:
    inbox = AssessmentInbox(
        ingest=IngestAssessment(trigger=trigger),
        dead_letters=DeadLetters(sender=adapters.publisher, topic=config.topic_dead_letters, timeout=_PUBLISH_WITHIN),
        tracer=told.tracer,
        metrics=told.metrics,
    )
    settings = ConsumerSettings(
        access=config.kafka_access(),
        client_id=config.kafka_client_id,
        group_id=config.kafka_group_id,
        topic=config.topic_assessments,
        session_timeout=config.kafka_session_timeout,
    )
    return AssessmentConsumer(settings, inbox, adapters.clock)


def _scheduler(config: Config, told: Telemetry, adapters: Adapters, trigger: TriggerSimulation) -> SweepScheduler:
    sweep = SweepFundedAccounts(
        core=adapters.core,
        store=adapters.store,
        trigger=trigger,
        clock=adapters.clock,
        fresh_for=config.sweep_fresh_for,
    )
    return SweepScheduler(
        sweep,
        adapters.clock,
        told.metrics,
        cron=config.sweep_cron,
        zone=config.sweep_time_zone,
        patience=config.outage_patience,
    )


def _dependencies(adapters: Adapters, metrics: Metrics) -> list[Dependency]:
    def cache() -> None:
        if not adapters.cache.alive():
            raise CacheDown(
                "Redis does not answer: cache_down in the log says why. The service works without it, slower."
            )

    found = [
        Dependency(name="database", ping=partial(ping_and_tell, adapters.store, metrics), required=True),
        Dependency(name="kafka", ping=adapters.publisher.ping),
        Dependency(name="engine", ping=adapters.simulator.ping),
        Dependency(name="core_service", ping=adapters.core.ping),
    ]
    return found if isinstance(adapters.cache, NoCache) else [*found, Dependency(name="cache", ping=cache)]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
