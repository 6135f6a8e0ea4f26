"""The life of a service process: configure, serve until asked to stop, flush, leave. And the migration by itself."""

from __future__ import annotations

import os
from datetime import timedelta
from threading import Event

from mcsvc.adapters.postgres.migrate import migrate
from mcsvc.bootstrap import Adapters, build_service, open_adapters
from mcsvc.config import Config, load, load_for_migration
from mcsvc.domain.errors import StoreUnavailable
from mcsvc.ending import Countdown, together
from mcsvc.entrypoints.service import NotStarted
from mcsvc.last_resort import leave, leave_after
from mcsvc.observability import logs, telemetry
from mcsvc.observability.telemetry import Telemetry

OK, FAILURE = 0, 1
_CLOSING = timedelta(seconds=3)  # for the last spans and connections, if the stop's own time lasts that long
_BEYOND = timedelta(seconds=4)  # past the time a stop may take, before the process leaves all the same
_log = logs.get_logger("mcsvc")


def serve(stop: Event, *, migrating: bool) -> int:
    """Serve until `stop` is set, then leave the process with its exit code. Raises ConfigError."""
    config = load(os.environ)
    logs.configure(config.log_level)
    exposed = config.kafka_access().exposed()
    if exposed:
        _log.warning("kafka_login_in_plain_text", remedy=exposed)
    if stop.is_set():
        _log.info("stopped_before_the_start")
        return OK
    ending = Countdown(config.shutdown_timeout)
    leave_after(stop, config.shutdown_timeout + _BEYOND)
    told = telemetry.set_up(config, os.environ)
    told.make_global()
    adapters = open_adapters(config, told)
    code = _run(config, told, adapters, stop, ending, migrating=migrating)
    together({"adapters": adapters.close, "telemetry": told.shutdown}, within=min(_CLOSING, ending.start().left()))
    leave(code)
    return code


def _run(
    config: Config, told: Telemetry, adapters: Adapters, stop: Event, ending: Countdown, *, migrating: bool
) -> int:
    try:
        build_service(config, told, adapters, ending, migrating=migrating).run(stop)
    except (NotStarted, OSError, RuntimeError) as error:
        _log.error("not_started", error=str(error))
        return FAILURE
    except Exception:  # noqa: BLE001 — a bug; the log must have it before the process leaves
        _log.exception("service_broke")
        return FAILURE
    return OK


def bring_up_to_date() -> int:
    """Migrate the database; the exit code. Raises ConfigError."""
    config = load_for_migration(os.environ)
    logs.configure(config.log_level)
    try:
        applied = migrate(config.database_url.reveal())
    except StoreUnavailable as error:
        _log.error("not_migrated", error=str(error))
        return FAILURE
    _log.info("migrated", applied=applied)
    return OK
