"""The Core Service over HTTP (docs/core-service.md). Each call is made once: attempts are the caller's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, assert_never
from urllib.parse import quote

import httpx
from opentelemetry import propagate, trace

from mcsvc.adapters import core_service_codec as codec
from mcsvc.adapters.core_service_failures import raise_for_failure, unreachable
from mcsvc.adapters.whole_answers import WholeAnswers
from mcsvc.domain.errors import CoreServiceInvalid, SubjectNotFound
from mcsvc.domain.subject import Subject, SubjectKind
from mcsvc.observability.logs import get_logger
from mcsvc.ports.core_service import AccountPage, AccountRecord, without_limit
from montecarlo.v1 import trade_pb2

MAX_TRADES = 100_000
"""The longest history the API takes; a Core Service that has more sends the latest."""

_LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")
_log = get_logger(__name__)
_tracer = trace.get_tracer(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreServiceSettings:
    """How the Core Service is reached. The read timeout is the longest silence; an answer is whole within its own."""

    base_url: str
    token: str = field(default="", repr=False)
    connect_timeout: timedelta = timedelta(seconds=2)
    read_timeout: timedelta = timedelta(seconds=10)
    answer_timeout: timedelta = timedelta(minutes=1)
    connections: int = 16
    page_size: int = 1000


class HttpCoreService:
    """The port `CoreService` by httpx. Safe to share among threads; `close()` ends its connections.

    `transport` replaces the network, for tests.
    """

    def __init__(self, settings: CoreServiceSettings, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        read_s = settings.read_timeout.total_seconds()
        self._page_size = str(settings.page_size)
        self._base_url = settings.base_url
        client = httpx.AsyncClient(
            base_url=settings.base_url,
            headers={"Accept": "application/json"} | _authorization(settings.token),
            timeout=httpx.Timeout(read_s, connect=settings.connect_timeout.total_seconds()),
            limits=httpx.Limits(max_connections=settings.connections),
            transport=transport,
            mounts=dict.fromkeys(_LOOPBACK),  # never through the environment's proxy
        )
        self._answers = WholeAnswers(client, within=settings.answer_timeout)

    def account(self, subject: Subject, *, may_go_on: Callable[[], None] = without_limit) -> AccountRecord:
        """See the port."""
        status_field = "outcome" if subject.kind is SubjectKind.ASSESSMENT else "status"
        body = self._get(_path(subject), {}, subject, may_go_on)
        return codec.account_record(body, ref=subject.ref, status_field=status_field)

    def trades(self, subject: Subject, *, may_go_on: Callable[[], None] = without_limit) -> Sequence[trade_pb2.Trade]:
        """See the port."""
        found: list[trade_pb2.Trade] = []
        token, seen = "", {""}
        while True:
            body = self._get(f"{_path(subject)}/trades", self._page(token), subject, may_go_on)
            found += codec.trades(body, first=len(found))
            if len(found) > MAX_TRADES:
                raise CoreServiceInvalid(f"trades: more than {MAX_TRADES:,}. Send the latest {MAX_TRADES:,} only.")
            token = codec.next_page_token(body)
            if not token:
                return sorted(found, key=_close_time)
            if token in seen:
                raise CoreServiceInvalid(f"next_page_token: {token!r} came before, so the list would never end.")
            seen.add(token)

    def active_funded_accounts(self, page_token: str) -> AccountPage:
        """See the port."""
        body = self._get("/v1/funded-accounts", {"status": "ACTIVE"} | self._page(page_token))
        page = codec.funded_account_page(body)
        if page.refused:
            _log.warning("funded_accounts_refused", count=len(page.refused), first=page.refused[0])
        return page

    def ping(self) -> None:
        """See the port."""
        self._send("/health", {})

    def close(self) -> None:
        """End the connections."""
        self._answers.close()

    def _page(self, token: str) -> dict[str, str]:
        return {"page_size": self._page_size} | ({"page_token": token} if token else {})

    def _get(
        self,
        path: str,
        query: Mapping[str, str],
        subject: Subject | None = None,
        may_go_on: Callable[[], None] = without_limit,
    ) -> codec.Body:
        """The JSON object at a path."""
        response = self._send(path, query, subject, may_go_on)
        try:
            body: Any = response.json()
        except ValueError as error:
            raise CoreServiceInvalid(f"{path}: the body is not JSON: {error}") from error
        if not isinstance(body, dict):
            raise CoreServiceInvalid(f"{path}: the body is a {type(body).__name__} instead of an object.")
        return body

    def _send(
        self,
        path: str,
        query: Mapping[str, str],
        subject: Subject | None = None,
        may_go_on: Callable[[], None] = without_limit,
    ) -> httpx.Response:
        """One call, in a span of its own whose context goes with it."""
        with _tracer.start_as_current_span("core_service.get", kind=trace.SpanKind.CLIENT) as span:
            span.set_attributes({"http.request.method": "GET", "url.path": path})
            headers: dict[str, str] = {}
            propagate.inject(headers)
            try:
                response = self._answers.get(path, query, headers, may_go_on)
            except httpx.RequestError as error:
                raise unreachable(self._base_url, error) from error
            span.set_attribute("http.response.status_code", response.status_code)
            raise_for_failure(response, subject)
            return response


def _path(subject: Subject) -> str:
    """Where a subject is. An id of dots alone would be taken for a step up the path."""
    if not subject.ref.strip("."):
        raise SubjectNotFound(f"No {subject.in_words()} in the Core Service. Check the id.")
    match subject.kind:
        case SubjectKind.ASSESSMENT:
            return f"/v1/assessments/{quote(subject.ref, safe='')}"
        case SubjectKind.FUNDED_ACCOUNT:
            return f"/v1/funded-accounts/{quote(subject.ref, safe='')}"
        case SubjectKind.INLINE:
            raise ValueError("An inline subject brings its own data: do not ask the Core Service for it.")
        case _:
            assert_never(subject.kind)


def _close_time(trade: trade_pb2.Trade) -> tuple[int, int]:
    return trade.closed_at.seconds, trade.closed_at.nanos


def _authorization(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
