"""Pages, parameters and problems of the sample Core Service.

A page token is opaque to callers: here the base64 of what it continues and how far that was.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from mcsvc.devstack.core_service_data import Record

DEFAULT_PAGE_SIZE = 500
MAX_PAGE_SIZE = 1000
STATUSES = ("ACTIVE", "BREACHED", "CLOSED")


class BadParameter(ValueError):
    """A query parameter is not usable. The message says the remedy."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def slice_of(items: Sequence[Record], request: Request, *, scope: str) -> tuple[list[Record], str]:
    """The page a request asks for, and the token of the next one; "" if there is none."""
    size = page_size(request.query_params)
    start = _resume(request.query_params.get("page_token", ""), scope)
    end = start + size
    return list(items[start:end]), _token(scope, end) if end < len(items) else ""


def page_size(query: Mapping[str, str]) -> int:
    """How many items a page may hold."""
    raw = query.get("page_size", str(DEFAULT_PAGE_SIZE))
    if not re.fullmatch("[0-9]{1,4}", raw) or not 1 <= int(raw) <= MAX_PAGE_SIZE:
        raise BadParameter("page_size", f"page_size is {raw[:20]!r}: give a whole number from 1 to {MAX_PAGE_SIZE}.")
    return int(raw)


def status_filter(query: Mapping[str, str]) -> str | None:
    """The status that funded accounts must have, or None for any."""
    status = query.get("status")
    if status is not None and status not in STATUSES:
        raise BadParameter("status", f"status is {status[:20]!r}: give one of {', '.join(STATUSES)}, or leave it out.")
    return status


def problem(
    status: int,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An error body of RFC 9457."""
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    body |= {"detail": detail} | ({"errors": list(errors)} if errors else {})
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def _token(scope: str, offset: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([scope, offset]).encode()).decode().rstrip("=")


def _resume(token: str, scope: str) -> int:
    """Where a token continues; 0 without one."""
    if not token:
        return 0
    try:
        match json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)):
            case [str(made_for), int(offset)] if made_for == scope and offset > 0:
                return offset
    except (binascii.Error, ValueError):
        pass
    raise BadParameter("page_token", "page_token is not one of this list: start again without it.")
