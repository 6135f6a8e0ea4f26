"""Problems as problem+json (RFC 9457)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from google.rpc import code_pb2
from starlette.responses import Response

from mcsvc.entrypoints.api.problems import Problem

_PROBLEM = "application/problem+json"
_STATUSES = {
    code_pb2.INVALID_ARGUMENT: 400,
    code_pb2.NOT_FOUND: 404,
    code_pb2.ALREADY_EXISTS: 409,
    code_pb2.FAILED_PRECONDITION: 409,
    code_pb2.RESOURCE_EXHAUSTED: 429,
    code_pb2.UNAVAILABLE: 503,
}


def problem_response(problem: Problem) -> Response:
    """The response a problem is."""
    status = _STATUSES.get(problem.code, 500)
    body: dict[str, object] = {"title": problem.reason, "status": status, "detail": problem.message}
    if problem.violations:
        body["violations"] = [{"field": bad.field, "description": bad.description} for bad in problem.violations]
    headers = {}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(problem.retry_after.total_seconds()))
    return Response(json.dumps(body), status, headers, _PROBLEM)


def unserved_response(method: str, path: str, status: int, headers: Mapping[str, str] | None) -> Response:
    """The response to a path or a method that this API has not."""
    served = "POST and GET /simulations, GET /simulations/{id}, /health, /ready and /metrics"
    detail = f"{method} {path[:100]} is not served here: there are {served}."
    body = {"title": "NOT_SERVED", "status": status, "detail": detail}
    return Response(json.dumps(body), status, headers, _PROBLEM)
