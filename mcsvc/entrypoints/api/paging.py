"""Page tokens: opaque to callers, bound to the filter they were made for (https://google.aip.dev/158)."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime
from typing import NoReturn
from uuid import UUID

from mcsvc.domain.errors import InvalidRequest, Violation
from mcsvc.domain.job import JobId
from mcsvc.ports.job_store import Cursor

DEFAULT_SIZE = 50
MAX_SIZE = 1_000
_TOKEN_LENGTH = 500


def page_size(asked: int) -> int:
    """The size to use. Raises InvalidRequest below 0; above the most, the most is used."""
    if asked < 0:
        description = f"is negative: give 1 or more, of which {MAX_SIZE} count at most, or 0 for {DEFAULT_SIZE}"
        raise InvalidRequest([Violation(field="page_size", description=description)])
    return min(asked or DEFAULT_SIZE, MAX_SIZE)


def encode_token(cursor: Cursor | None, text_filter: str) -> str:
    """The token of the page after this cursor; empty if there is none."""
    if cursor is None:
        return ""
    body = [cursor.create_time.isoformat(), str(cursor.id), _digest(text_filter)]
    return base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")


def decode_token(token: str, text_filter: str) -> Cursor | None:
    """The cursor in a token; None for the first page. Raises InvalidRequest."""
    if not token:
        return None
    if len(token) > _TOKEN_LENGTH:
        _reject("is not a token of this service: pass next_page_token as it came")
    try:
        create_time, job_id, digest = json.loads(
            base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        )
        cursor = Cursor(create_time=datetime.fromisoformat(create_time), id=JobId(UUID(job_id)))
    except (ValueError, TypeError, AttributeError):
        _reject("is not a token of this service: pass next_page_token as it came")
    if cursor.create_time.tzinfo is None:
        _reject("is not a token of this service: pass next_page_token as it came")
    if digest != _digest(text_filter):
        _reject("belongs to another filter: repeat the filter of the first page, or start over without a token")
    return cursor


def _digest(text_filter: str) -> str:
    return hashlib.sha256(text_filter.strip().encode()).hexdigest()[:16]


def _reject(description: str) -> NoReturn:
    raise InvalidRequest([Violation(field="page_token", description=description)])
