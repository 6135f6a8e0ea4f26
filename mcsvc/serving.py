"""The life of a service process: configure, serve until asked to stop, flush. And the migration by itself."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from threading import Event, Thread

from mcsvc.adapters.postgres.migrate import migrate
from mcsvc.bootstrap import build_service, open_adapters
from mcsvc.config import Config, load
from mcsvc.domain.errors import StoreUnavailable
from mcsvc.entrypoints.service import NotStarted
from mcsvc.last_resort import leave_after
from mcsvc.observability import logs, telemetry

OK, FAILURE = 0, 1
_BEYOND = timedelta(seconds=4)  # past the time a stop may take, before the process leaves all the same
_log = logs.get_logger("mcsvc")


def serve(*, migrating: bool) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Raises ConfigError."""
    config = _configured()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: Thread(target=stop.set).start())  # its lock may be held where the signal falls
    leave_after(stop, config.shutdown_timeout + _BEYOND)
    told = telemetry.set_up(config, os.environ)
    told.make_global()
    adapters = open_adapters(config, told)
    try:
        build_service(config, told, adapters, migrating=migrating).run(stop)
    except (NotStarted, OSError, RuntimeError) as error:
        _log.error("not_started", error=str(error))
        return FAILURE
    finally:
        adapters.close()
        told.shutdown()
    return OK


def bring_up_to_date() -> int:
    """Migrate the database; the exit code. Raises ConfigError."""
    config = _configured()
    try:
        applied = migrate(config.database_url.reveal())
    except StoreUnavailable as error:
        _log.error("not_migrated", error=str(error))
        return FAILURE
    _log.info("migrated", applied=applied)
    return OK


def _configured() -> Config:
    config = load(os.environ)
    logs.configure(config.log_level)
    return config
