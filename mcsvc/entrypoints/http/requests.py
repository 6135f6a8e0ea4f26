"""HTTP requests, decoded into the messages of the API."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request

from mcsvc.domain.errors import InvalidRequest, Violation
from mcsvc.entrypoints.http import protojson
from montecarlo.v1 import simulation_service_pb2 as pb

MAX_BODY_BYTES = 32 * 1024 * 1024
_MOST, _DIGITS = 2**31 - 1, 10  # of what a page size can say; more than a page holds is cut there
_SHORTHANDS = ("state", "trigger", "assessment_id", "funded_account_id")
_KNOWN = {"page_size", "page_token", "filter", *_SHORTHANDS}


async def read_body(request: Request) -> bytes:
    """The whole body. Raises InvalidRequest if it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _bad("body", f"give at most {MAX_BODY_BYTES} bytes")
    return bytes(body)


def trigger_request(body: bytes) -> pb.TriggerSimulationRequest:
    """A TriggerSimulationRequest from its ProtoJSON. Raises InvalidRequest."""
    return protojson.read(body, pb.TriggerSimulationRequest())


def list_request(parameters: Sequence[tuple[str, str]]) -> pb.ListSimulationsRequest:
    """A ListSimulationsRequest from a query; `state=`, `trigger=` and the ids are added to the filter."""
    query = dict(parameters)
    unknown = sorted(set(query) - _KNOWN)
    if unknown:
        raise _bad(unknown[0], f"is not a parameter: use {', '.join(sorted(_KNOWN))}")
    names = [name for name, _ in parameters]
    twice = [name for name in query if names.count(name) > 1]
    if twice:
        raise _bad(twice[0], "is given more than once: give one, and ask again for another")
    comparisons = [query["filter"]] if query.get("filter", "").strip() else []
    comparisons += [f'{name} = "{_escaped(query[name])}"' for name in _SHORTHANDS if name in query]
    return pb.ListSimulationsRequest(
        page_size=_page_size(query.get("page_size", "0")),
        page_token=query.get("page_token", ""),
        filter=" AND ".join(comparisons),
    )


def _page_size(raw: str) -> int:
    if not (raw.isascii() and raw.isdigit()):
        raise _bad("page_size", "give a whole number, 0 or more")
    return min(int(raw[:_DIGITS]), _MOST) if len(raw) <= _DIGITS else _MOST


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _bad(field: str, description: str) -> InvalidRequest:
    return InvalidRequest([Violation(field=field, description=description)])
