"""Logs as JSON lines on stderr: one event name, its fields, and the ids of the trace it belongs to.

`log = get_logger(__name__)`, then `log.info("job_claimed", job_id=…, attempt=…)`. Plain `logging` calls, ours or a
library's, come out in the same shape. `fields(job_id=…)` adds fields to every line of a block.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from opentelemetry import trace

_bound: ContextVar[dict[str, object]] = ContextVar("mcsvc_log_fields")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_NOISY = {"httpx": logging.WARNING, "httpcore": logging.WARNING}


@dataclass(frozen=True, slots=True)
class EventLogger:
    """Logs events with fields through a logger of the standard library."""

    _logger: logging.Logger

    def debug(self, event: str, **fields: object) -> None:
        """What only a developer reads."""
        self._logger.debug(event, extra={"fields": fields})

    def info(self, event: str, **fields: object) -> None:
        """What an operator may want to follow."""
        self._logger.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: object) -> None:
        """What went wrong and will be tried again."""
        self._logger.warning(event, extra={"fields": fields})

    def error(self, event: str, **fields: object) -> None:
        """What went wrong and stays wrong."""
        self._logger.error(event, extra={"fields": fields})

    def exception(self, event: str, **fields: object) -> None:
        """An error with the stack of the exception being handled."""
        self._logger.exception(event, extra={"fields": fields})  # noqa: LOG004 — our callers stand in the handler


def get_logger(name: str) -> EventLogger:
    """The event logger of a module."""
    return EventLogger(logging.getLogger(name))


@contextmanager
def fields(**extra: object) -> Iterator[None]:
    """Within the block, every line of this thread carries these fields."""
    token = _bound.set({**_bound.get({}), **extra})
    try:
        yield
    finally:
        _bound.reset(token)


class JsonFormatter(logging.Formatter):
    """One record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "event": record.getMessage(),
            "logger": record.name,
            **_trace_ids(),
            **_bound.get({}),
            **_fields_of(record),
        }
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send every log line of the process as JSON to stderr, or to `stream`."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in _NOISY.items():
        logging.getLogger(name).setLevel(max(least, root.level))


def _trace_ids() -> dict[str, object]:
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return {}
    return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}


def _fields_of(record: logging.LogRecord) -> dict[str, object]:
    extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    own = extra.pop("fields", {})
    return {**extra, **(own if isinstance(own, dict) else {"fields": own})}
