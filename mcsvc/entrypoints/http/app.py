"""The HTTP routes: REST over the use-cases, and what operators and probes ask for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message
from opentelemetry.trace import SpanKind, Tracer
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcsvc.entrypoints.api import responses
from mcsvc.entrypoints.api.fields import job_id
from mcsvc.entrypoints.api.filters import parse_filter
from mcsvc.entrypoints.api.paging import decode_token, page_size
from mcsvc.entrypoints.api.places import Places, too_many
from mcsvc.entrypoints.api.problems import classify
from mcsvc.entrypoints.api.trigger_requests import decode_trigger
from mcsvc.entrypoints.api.use_cases import UseCases
from mcsvc.entrypoints.http import requests
from mcsvc.entrypoints.http.problems import problem_response, unserved_response
from mcsvc.entrypoints.monitor import Monitor
from mcsvc.observability.logs import get_logger
from mcsvc.observability.metrics import Metrics
from mcsvc.observability.tracing import current_traceparent, span

_log = get_logger("mcsvc.access")
_THREADS = 40  # that Starlette has for calls
_T = TypeVar("_T")
_Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpApi:
    """See the module."""

    use: UseCases
    monitor: Monitor
    prometheus: Callable[[], bytes]
    tracer: Tracer
    metrics: Metrics
    _bodies: requests.Bodies = field(default_factory=requests.Bodies, init=False)
    _calls: Places = field(default_factory=lambda: Places(_THREADS), init=False)

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/health", self._health, methods=["GET"]),
                Route("/ready", self._ready, methods=["GET"]),
                Route("/metrics", self._metrics, methods=["GET"]),
                Route("/simulations", self._around("POST /simulations", self._trigger), methods=["POST"]),
                Route("/simulations", self._around("GET /simulations", self._list), methods=["GET"]),
                Route("/simulations/{id}", self._around("GET /simulations/{id}", self._get), methods=["GET"]),
            ],
            exception_handlers={HTTPException: _not_served},
        )

    async def _health(self, _request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def _ready(self, _request: Request) -> Response:
        health = self.monitor.health()
        ready = self.monitor.ready()
        degraded = ready and not all(each.up for each in health.values())
        body = {
            "ready": ready,
            "status": "degraded" if degraded else "ok" if ready else "not ready",
            "dependencies": {
                name: {"up": each.up, "required": each.required, "detail": each.detail} for name, each in health.items()
            },
        }
        return JSONResponse(body, 200 if ready else 503)

    async def _metrics(self, _request: Request) -> Response:
        text = await asyncio.to_thread(self.prometheus)  # on threads that calls waiting for the database cannot take
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _trigger(self, request: Request) -> Response:
        async with self._bodies.whole(request) as body:
            return await self._work(self._triggered, body, current_traceparent())

    def _triggered(self, body: bytes, trace_parent: str) -> Response:
        asked = decode_trigger(requests.trigger_request(body), trace_parent=trace_parent)
        return _json(responses.encode_triggered(self.use.trigger(asked)).simulation, 201)

    async def _list(self, request: Request) -> Response:
        asked = requests.list_request(request.query_params.multi_items())
        where, limit = parse_filter(asked.filter), page_size(asked.page_size)
        after = decode_token(asked.page_token, asked.filter)
        page = await self._work(self.use.find, where, limit, after)
        return _json(responses.encode_page(page, asked.filter))

    async def _get(self, request: Request) -> Response:
        view = await self._work(self.use.get, job_id(request.path_params["id"]))
        return _json(responses.encode_found(view).simulation)

    async def _work(self, use: Callable[..., _T], *arguments: object) -> _T:
        """What the use-case returns, on a thread. Raises TooManyCalls rather than waiting for one."""
        with self._calls.one(otherwise=too_many()):
            return await run_in_threadpool(use, *arguments)

    def _around(self, route: str, endpoint: _Endpoint) -> _Endpoint:
        """The endpoint with its span, metric, access log and errors."""

        async def observed(request: Request) -> Response:
            started = time.perf_counter()
            parent = request.headers.get("traceparent", "")
            with span(self.tracer, route, kind=SpanKind.SERVER, parent=parent) as opened:
                try:
                    response = await endpoint(request)
                except Exception as error:  # noqa: BLE001 — the boundary: nothing may reach the caller unclassified
                    response = problem_response(classify(error))
                elapsed_s = time.perf_counter() - started
                opened.set_attribute("http.response.status_code", response.status_code)
                labels: dict[str, str | int] = {"http.route": route, "http.status": response.status_code}
                self.metrics.http_duration.record(elapsed_s, labels)
                _log.info("http", route=route, status=response.status_code, duration_ms=round(elapsed_s * 1000, 3))
                return response

        return observed


async def _not_served(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 — what it is registered for
    return unserved_response(request.method, request.url.path, error.status_code, error.headers)


def _json(message: Message, status: int = 200) -> Response:
    text = json_format.MessageToJson(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True, indent=None
    )
    return Response(text, status, media_type="application/json")
