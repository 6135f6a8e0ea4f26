"""The configuration: read once from the environment, checked as a whole, frozen.

Every variable is one field below: its name, how it is read, its default and what it is for. `docs/configuration.md`
holds the same table, and a test keeps the two in step (`python -m mcsvc.config` prints the table).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints
from zoneinfo import ZoneInfo

from mcsvc import config_values as values
from mcsvc import kafka_access, redis_access
from mcsvc.config_values import Address, Malformed, Secret
from mcsvc.kafka_access import KafkaAccess
from mcsvc.redis_access import RedisAccess


class ConfigError(Exception):
    """The environment does not make a configuration. The message names everything that is missing or malformed."""

    def __init__(self, problems: list[str]) -> None:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"The configuration is not valid; see docs/configuration.md:\n{lines}")
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable. `default` is written as it would stand there; without one the variable is required."""

    name: str
    parse: Callable[[str], object]
    purpose: str
    default: str | None = None


_EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 — a service in a container listens on every address
_count = partial(values.whole_number, low=1, high=10_000)
_port = partial(values.whole_number, low=0, high=65_535)
_port_of_another = partial(values.whole_number, low=1, high=65_535)
_log_level = partial(values.one_of, choices=("DEBUG", "INFO", "WARNING", "ERROR"))
_protocol = partial(values.one_of, choices=kafka_access.PROTOCOLS)
_mechanism = partial(values.one_of, choices=("", *kafka_access.MECHANISMS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """See the module."""

    database_url: Annotated[
        Secret, Variable("DATABASE_URL", values.database_url, "PostgreSQL or CockroachDB, `postgresql://…`")
    ]
    kafka_brokers: Annotated[str, Variable("KAFKA_BROKERS", values.brokers, "Kafka brokers, `host:port,host:port`")]
    ray_serve_url: Annotated[
        Address, Variable("RAY_SERVE_URL", values.grpc_address, "gRPC of Ray Serve, `[grpc://]host:port`")
    ]
    core_service_url: Annotated[
        str, Variable("CORE_SERVICE_URL", values.http_url, "The Core Service, `http[s]://host[/path]`")
    ]
    core_service_token: Annotated[
        Secret, Variable("MCSVC_CORE_SERVICE_TOKEN", values.token, "Bearer token for the Core Service", default="")
    ]

    grpc_port: Annotated[int, Variable("GRPC_PORT", _port, "Port of the gRPC API; 0 takes a free one", default="50051")]
    http_port: Annotated[
        int, Variable("PORT", _port, "Port of HTTP: REST, health, metrics; 0 takes a free one", default="3002")
    ]
    bind_host: Annotated[
        str, Variable("MCSVC_BIND_HOST", values.text, "Address both ports listen on", default=_EVERY_ADDRESS)
    ]
    environment: Annotated[
        str, Variable("ENVIRONMENT", values.text, "Name of the deployment, on traces", default="development")
    ]
    aws_region: Annotated[str, Variable("AWS_REGION", values.text, "Region, as cloud.region on traces", default="")]
    log_level: Annotated[str, Variable("MCSVC_LOG_LEVEL", _log_level, "DEBUG, INFO, WARNING or ERROR", default="INFO")]

    redis_host: Annotated[str, Variable("REDIS_HOST", values.host, "Redis; empty: nothing is cached", default="")]
    redis_port: Annotated[int, Variable("REDIS_PORT", _port_of_another, "Port of Redis", default="6379")]
    redis_username: Annotated[
        str, Variable("REDIS_USERNAME", values.text, "User of Redis (ACL); empty: the default one", default="")
    ]
    redis_password: Annotated[
        Secret, Variable("REDIS_PASSWORD", values.password, "Password of Redis; empty: none", default="")
    ]
    redis_tls: Annotated[
        bool, Variable("REDIS_TLS", values.truth, "true or false: whether Redis is reached over TLS", default="false")
    ]
    redis_ca_file: Annotated[
        str,
        Variable(
            "REDIS_CA_FILE",
            values.authorities_file,
            "Who may have signed Redis' certificate besides those the system trusts, PEM",
            default="",
        ),
    ]

    kafka_security_protocol: Annotated[
        str,
        Variable(
            "KAFKA_SECURITY_PROTOCOL", _protocol, "plaintext, ssl, sasl_plaintext or sasl_ssl", default="plaintext"
        ),
    ]
    kafka_sasl_mechanism: Annotated[
        str, Variable("KAFKA_SASL_MECHANISM", _mechanism, "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", default="")
    ]
    kafka_sasl_username: Annotated[
        str, Variable("KAFKA_SASL_USERNAME", values.text, "User that Kafka knows", default="")
    ]
    kafka_sasl_password: Annotated[
        Secret, Variable("KAFKA_SASL_PASSWORD", values.password, "Password of that user", default="")
    ]
    kafka_ca_file: Annotated[
        str,
        Variable(
            "KAFKA_CA_FILE",
            values.authorities_file,
            "Who may have signed the brokers' certificates, PEM; empty: those the system trusts",
            default="",
        ),
    ]
    kafka_certificate_file: Annotated[
        str,
        Variable("KAFKA_CERTIFICATE_FILE", values.readable_file, "Certificate to show to the brokers, PEM", default=""),
    ]
    kafka_key_file: Annotated[
        str,
        Variable("KAFKA_KEY_FILE", values.readable_file, "Key of that certificate, PEM without a password", default=""),
    ]
    kafka_client_id: Annotated[str, Variable("KAFKA_CLIENT_ID", values.text, "Kafka client id", default="mcsvc")]
    kafka_group_id: Annotated[str, Variable("KAFKA_GROUP_ID", values.text, "Kafka consumer group", default="mcsvc")]
    topic_assessments: Annotated[
        str,
        Variable(
            "MCSVC_TOPIC_ASSESSMENTS", values.topic, "Topic read for passed assessments", default="assessment.completed"
        ),
    ]
    topic_dead_letters: Annotated[
        str,
        Variable(
            "MCSVC_TOPIC_DEAD_LETTERS",
            values.topic,
            "Topic for messages that cannot be processed; another than the one read",
            default="assessment.completed.dlq",
        ),
    ]
    kafka_session_timeout: Annotated[
        timedelta,
        Variable(
            "MCSVC_KAFKA_SESSION_TIMEOUT_S",
            values.session,
            "Silence after which Kafka drops a consumer, 6 to 300",
            default="15",
        ),
    ]

    database_pool: Annotated[int, Variable("MCSVC_DATABASE_POOL", _count, "Most database connections", default="10")]
    database_wait: Annotated[
        timedelta,
        Variable("MCSVC_DATABASE_WAIT_S", values.seconds, "Longest wait for a database connection", default="5"),
    ]
    startup_timeout: Annotated[
        timedelta,
        Variable("MCSVC_STARTUP_TIMEOUT_S", values.seconds, "How long a start waits for the database", default="60"),
    ]
    shutdown_timeout: Annotated[
        timedelta,
        Variable(
            "MCSVC_SHUTDOWN_TIMEOUT_S",
            values.seconds,
            "How long a stop may take in all; the pod's grace period is longer",
            default="20",
        ),
    ]
    monitor_interval: Annotated[
        timedelta,
        Variable("MCSVC_MONITOR_INTERVAL_S", values.seconds, "How often the dependencies are pinged", default="5"),
    ]

    grpc_threads: Annotated[
        int,
        Variable(
            "MCSVC_GRPC_THREADS",
            _count,
            "Most unary gRPC calls at once, a thread each; others are refused",
            default="64",
        ),
    ]
    max_watchers: Annotated[
        int, Variable("MCSVC_MAX_WATCHERS", _count, "Most WatchSimulation streams at once", default="256")
    ]
    watch_poll: Annotated[
        timedelta, Variable("MCSVC_WATCH_POLL_S", values.seconds, "How often a watched job is read", default="0.5")
    ]
    watch_heartbeat: Annotated[
        timedelta,
        Variable("MCSVC_WATCH_HEARTBEAT_S", values.heartbeat, "Heartbeat of a quiet watch, at most 30", default="15"),
    ]

    workers: Annotated[int, Variable("MCSVC_WORKERS", _count, "Jobs one process runs at once", default="4")]
    worker_poll: Annotated[
        timedelta, Variable("MCSVC_WORKER_POLL_S", values.seconds, "How often due jobs are sought", default="0.5")
    ]
    lease: Annotated[
        timedelta,
        Variable(
            "MCSVC_LEASE_S", values.lease, "After this silence a worker is taken for dead, at least 2", default="30"
        ),
    ]
    max_attempts: Annotated[int, Variable("MCSVC_MAX_ATTEMPTS", _count, "Attempts before a job fails", default="3")]
    outage_patience: Annotated[
        timedelta,
        Variable(
            "MCSVC_OUTAGE_PATIENCE_S",
            values.seconds,
            "How old a job, or a sweep, may become while what it needs is away, at no cost of attempts",
            default="21600",
        ),
    ]
    run_timeout: Annotated[
        timedelta, Variable("MCSVC_RUN_TIMEOUT_S", values.seconds, "Longest run of one attempt", default="300")
    ]
    backoff_base: Annotated[
        timedelta, Variable("MCSVC_BACKOFF_BASE_S", values.seconds, "Wait before the second attempt", default="10")
    ]
    backoff_cap: Annotated[
        timedelta, Variable("MCSVC_BACKOFF_CAP_S", values.seconds, "Longest wait before an attempt", default="60")
    ]
    keep_jobs: Annotated[
        timedelta,
        Variable(
            "MCSVC_KEEP_JOBS_DAYS",
            values.days,
            "Days for which a final job is kept, with its input and its result; 0: for ever",
            default="0",
        ),
    ]
    keep_events: Annotated[
        timedelta,
        Variable(
            "MCSVC_KEEP_EVENTS_DAYS",
            values.days,
            "Days for which an event is kept once it was sent; 0: for ever",
            default="7",
        ),
    ]

    sweep_cron: Annotated[
        str, Variable("MCSVC_SWEEP_CRON", values.cron, "When funded accounts are swept (cron)", default="0 2 * * *")
    ]
    sweep_time_zone: Annotated[
        ZoneInfo, Variable("MCSVC_SWEEP_TIME_ZONE", values.time_zone, "IANA zone of the cron", default="UTC")
    ]
    sweep_fresh_for: Annotated[
        timedelta,
        Variable(
            "MCSVC_SWEEP_FRESH_S",
            values.seconds,
            "An account simulated this recently is left out: no longer than from sweep to sweep",
            default="86400",
        ),
    ]

    def kafka_access(self) -> KafkaAccess:
        """How Kafka is reached."""
        return KafkaAccess(**{name: getattr(self, f"kafka_{name}") for name in kafka_access.FIELDS})

    def redis_access(self) -> RedisAccess:
        """How Redis is reached, if there is one."""
        return RedisAccess(**{name: getattr(self, f"redis_{name}") for name in redis_access.FIELDS})


def load(environ: Mapping[str, str]) -> Config:
    """The configuration of this environment. An empty variable counts as one that is not set.

    Raises:
        ConfigError: naming all that is missing or malformed.
    """
    found, problems = _read(environ, variables())
    return Config(**_sound(found, problems + _contradictions(found)))


class MigrationConfig(NamedTuple):
    """As much of the configuration as a migration needs."""

    database_url: Secret
    log_level: str


def load_for_migration(environ: Mapping[str, str]) -> MigrationConfig:
    """As `load`, of what a migration needs: the rest need not be set."""
    every = variables()
    found, problems = _read(environ, {attribute: every[attribute] for attribute in MigrationConfig._fields})
    return MigrationConfig(**_sound(found, problems))


def load_kafka(environ: Mapping[str, str]) -> KafkaAccess:
    """As `load`, of what reaching Kafka needs: the rest need not be set."""
    every = variables()
    found, problems = _read(environ, {name: every[f"kafka_{name}"] for name in kafka_access.FIELDS})
    return KafkaAccess(**_sound(found, problems + kafka_access.contradictions(found)))


def load_redis(environ: Mapping[str, str]) -> RedisAccess:
    """As `load`, of what reaching Redis needs: the rest need not be set."""
    every = variables()
    found, problems = _read(environ, {name: every[f"redis_{name}"] for name in redis_access.FIELDS})
    return RedisAccess(**_sound(found, problems + redis_access.contradictions(found)))


def _read(environ: Mapping[str, str], wanted: Mapping[str, Variable]) -> tuple[dict[str, Any], list[str]]:
    """What can be read, and what is wrong with the rest."""
    found: dict[str, Any] = {}
    problems: list[str] = []
    for attribute, variable in wanted.items():
        raw = environ.get(variable.name, "").strip() or variable.default
        if raw is None:
            problems.append(f"{variable.name} is not set: {variable.purpose}.")
            continue
        try:
            found[attribute] = variable.parse(raw)
        except Malformed as error:
            problems.append(f"{variable.name} {error}")
    return found, problems


def _contradictions(found: Mapping[str, Any]) -> list[str]:
    """What is wrong with values that are right each by itself."""
    kafka = {name.removeprefix("kafka_"): value for name, value in found.items()}
    redis = {name.removeprefix("redis_"): value for name, value in found.items()}
    return [
        *_of_topics(found.get("topic_assessments"), found.get("topic_dead_letters")),
        *kafka_access.contradictions(kafka),
        *redis_access.contradictions(redis),
    ]


def _of_topics(read: str | None, dead: str | None) -> list[str]:
    if read is None or read != dead:
        return []
    why = "each dead letter would be read and make another"
    return [f"MCSVC_TOPIC_DEAD_LETTERS is {dead!r}, the topic that is read: {why}. Give a topic of its own."]


def _sound(found: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    """What was found. Raises ConfigError if there are problems."""
    if problems:
        raise ConfigError(problems)
    return found


def variables() -> dict[str, Variable]:
    """The variable of each attribute, in order."""
    hints = get_type_hints(Config, include_extras=True)
    return {attribute: get_args(hint)[1] for attribute, hint in hints.items()}


def table() -> str:
    """The variables as a Markdown table."""
    rows = ["| variable | default | what it is |", "| --- | --- | --- |"]
    for variable in variables().values():
        shown = "**required**" if variable.default is None else f"`{variable.default}`" if variable.default else "empty"
        rows.append(f"| `{variable.name}` | {shown} | {variable.purpose} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
