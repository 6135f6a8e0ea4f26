"""What a failed call of the Core Service means: the subject is unknown, try later, or the contract is broken."""

from __future__ import annotations

from datetime import timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from mcsvc.domain.errors import CoreServiceInvalid, CoreServiceUnavailable, SubjectNotFound
from mcsvc.domain.subject import Subject

_PROBLEM = "application/problem+json"
_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_AWAY = frozenset(
    {HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE}
)
_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def unreachable(base_url: str, error: httpx.RequestError) -> CoreServiceUnavailable:
    """No answer came: refused, timed out, or broken off."""
    kind = type(error).__name__
    return CoreServiceUnavailable(
        f"No answer from {base_url}: {kind}: {error}. Check CORE_SERVICE_URL and the service.",
        away=isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)),
    )


def raise_for_failure(response: httpx.Response, subject: Subject | None) -> None:
    """Raise what a status other than 2xx means; `subject` is what was asked for, if it was one."""
    if response.is_success:
        return
    status, said = response.status_code, f"{response.url.path} answered {response.status_code}: {_detail(response)}"
    if status == HTTPStatus.NOT_FOUND:
        raise _not_found(response, subject, said)
    if status in _REFUSED:
        raise CoreServiceUnavailable(f"{said} Check MCSVC_CORE_SERVICE_TOKEN.", away=True)
    if status in _LATER or response.is_server_error:
        raise CoreServiceUnavailable(said, retry_after=retry_after(response), away=status in _AWAY)
    raise CoreServiceInvalid(f"{said} See docs/core-service.md for what is expected.")


def retry_after(response: httpx.Response) -> timedelta | None:
    """The wait a response asks for, in seconds or until a date by its own clock. None if it asks for none."""
    asked = response.headers.get("retry-after", "")
    if asked.isascii() and asked.isdigit():
        return timedelta(seconds=min(int(asked[:9]), 86_400))
    try:
        wait = parsedate_to_datetime(asked) - parsedate_to_datetime(response.headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return min(max(wait, timedelta(0)), timedelta(days=1))


def _not_found(response: httpx.Response, subject: Subject | None, said: str) -> Exception:
    """The service says 404 with a problem; anything else that says so stands before it, or at the wrong address."""
    if subject is None or not response.headers.get("content-type", "").startswith(_PROBLEM):
        return CoreServiceUnavailable(f"{said} That is not the Core Service's own answer: check CORE_SERVICE_URL.")
    return SubjectNotFound(f"No {subject.in_words()} in the Core Service. Check the id.")


def _detail(response: httpx.Response) -> str:
    """What the problem says, if it is one; else nothing, as the body may be a page of a proxy."""
    if not response.headers.get("content-type", "").startswith(_PROBLEM):
        return "no details."
    try:
        body = response.json()
    except ValueError:
        return "unreadable details."
    return str(body.get("detail", ""))[:300] if isinstance(body, dict) else "unreadable details."
