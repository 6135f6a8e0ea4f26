"""The sample Core Service: the HTTP contract of docs/core-service.md over the sample traders, as a process of its own.

`python -m mcsvc.devstack.core_service --port N` serves until SIGTERM and prints one line, `ready http://HOST:PORT`,
when it does. Port 0 takes a free one. With `CORE_SERVICE_TOKEN` set, every call but /health needs that bearer token.
"""

from __future__ import annotations

import argparse
import hmac
import os
import signal
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mcsvc.devstack import core_service_data as data
from mcsvc.devstack.core_service_data import Catalogue, Record
from mcsvc.devstack.core_service_pages import BadParameter, problem, slice_of, status_filter

ROUTES = (
    ("/health", "health"),
    ("/v1/assessments/{id}", "assessment"),
    ("/v1/assessments/{id}/trades", "assessment_trades"),
    ("/v1/funded-accounts", "funded_accounts"),
    ("/v1/funded-accounts/{id}", "funded_account"),
    ("/v1/funded-accounts/{id}/trades", "funded_account_trades"),
)


class Answers:
    """One method a route."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def health(self, request: Request) -> Response:
        """Up, and able to answer."""
        del request
        return JSONResponse({"status": "ok"})

    async def assessment(self, request: Request) -> Response:
        """One assessment."""
        return JSONResponse(_known(self._catalogue.assessment(_id(request)), "assessment", request))

    async def funded_account(self, request: Request) -> Response:
        """One funded account."""
        return JSONResponse(_known(self._catalogue.funded_account(_id(request)), "funded account", request))

    async def assessment_trades(self, request: Request) -> Response:
        """A page of the trades of an assessment."""
        entry = _known(self._catalogue.assessments.get(_id(request)), "assessment", request)
        return self._trades(entry, request)

    async def funded_account_trades(self, request: Request) -> Response:
        """A page of the trades of a funded account."""
        entry = _known(self._catalogue.funded_accounts.get(_id(request)), "funded account", request)
        return self._trades(entry, request)

    async def funded_accounts(self, request: Request) -> Response:
        """A page of the funded accounts."""
        status = status_filter(request.query_params)
        page, token = slice_of(self._catalogue.funded_ids(status), request, scope=f"funded-accounts/{status}")
        return JSONResponse({"funded_accounts": page, "next_page_token": token})

    def _trades(self, entry: Record, request: Request) -> Response:
        page, token = slice_of(self._catalogue.trades(entry), request, scope=request.url.path)
        return JSONResponse({"trades": page, "next_page_token": token})


class Guard:
    """Before any answer: the bearer token, and the failures asked for (the first calls of each path get 503)."""

    def __init__(self, app: ASGIApp, *, token: str, fail_first: int, retry_after_s: int) -> None:
        self._app, self._token = app, token
        self._fail_first, self._retry_after_s = fail_first, retry_after_s
        self._calls: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on."""
        refusal = self._refusal(Request(scope)) if scope["type"] == "http" and scope["path"] != "/health" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        given = request.headers.get("authorization", "")
        if self._token and not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return problem(401, "Give the bearer token of this service.", headers={"WWW-Authenticate": "Bearer"})
        calls = self._calls[request.url.path] = self._calls.get(request.url.path, 0) + 1
        if calls > self._fail_first:
            return None
        detail = f"Call {calls} of this path fails on purpose; the first {self._fail_first} do."
        return problem(503, detail, headers={"Retry-After": str(self._retry_after_s)})


def application(catalogue: Catalogue, *, token: str = "", fail_first: int = 0, retry_after_s: int = 0) -> Starlette:
    """The ASGI application."""
    answers = Answers(catalogue)
    guard = Middleware(Guard, token=token, fail_first=fail_first, retry_after_s=retry_after_s)
    return Starlette(
        routes=[Route(path, getattr(answers, name), methods=["GET"]) for path, name in ROUTES],
        middleware=[guard],
        exception_handlers={HTTPException: _http_problem, BadParameter: _bad_parameter},
    )


def main() -> None:
    """Serve until SIGTERM or SIGINT, then exit 0."""
    options = _options()
    app = application(
        data.load(options.data),
        token=os.environ.get("CORE_SERVICE_TOKEN", ""),
        fail_first=options.fail_first,
        retry_after_s=options.retry_after_s,
    )
    # uvicorn re-raises the signal that stopped it, to whoever handled it before: nobody need die of it.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: None)
    config = uvicorn.Config(
        app, loop="asyncio", http="h11", ws="none", lifespan="off", log_config=None, timeout_graceful_shutdown=2
    )
    with socket.create_server((options.host, options.port)) as listener:
        _Announcing(config).run(sockets=[listener])


class _Announcing(uvicorn.Server):
    """Prints where it serves, once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            sys.stdout.write(f"ready http://{host}:{port}\n")
            sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mcsvc.devstack.core_service", description="Sample Core Service")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 takes a free one")
    parser.add_argument("--data", type=Path, default=data.SAMPLES, metavar="DIR", help="data folder")
    parser.add_argument("--fail-first", type=int, default=0, metavar="N", help="answer 503 to N calls of each path")
    parser.add_argument("--retry-after-s", type=int, default=0, metavar="S", help="the Retry-After of those answers")
    return parser.parse_args()


def _id(request: Request) -> str:
    return str(request.path_params["id"])


def _known(record: Record | None, kind: str, request: Request) -> Record:
    if record is None:
        raise HTTPException(404, f"No {kind} {_id(request)!r}.")
    return record


async def _http_problem(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)  # noqa: S101 — Starlette calls a handler with its own kind only
    return problem(error.status_code, error.detail, headers=error.headers)


async def _bad_parameter(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, BadParameter)  # noqa: S101 — Starlette calls a handler with its own kind only
    return problem(400, str(error), errors=[{"field": error.field, "description": str(error)}])


if __name__ == "__main__":
    main()
