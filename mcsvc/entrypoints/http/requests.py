"""HTTP requests, decoded into the messages of the API."""

from __future__ import annotations

import asyncio
from asyncio import Semaphore
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import final

from starlette.requests import Request

from mcsvc.domain.errors import InvalidRequest, Violation
from mcsvc.entrypoints.api.places import LARGE_BYTES, LARGE_CALLS, LARGE_TRADES, Places, too_many_large
from mcsvc.entrypoints.http import protojson
from montecarlo.v1 import simulation_service_pb2 as pb

MAX_BODY_BYTES = 24 * 1024 * 1024  # 100,000 trades with all their fields are 23 MB, without needless blanks
_ARRIVES_WITHIN_S = 60.0
_MOST, _DIGITS = 2**31 - 1, 10  # of what a page size can say; more than a page holds is cut there
_SHORTHANDS = ("state", "trigger", "assessment_id", "funded_account_id")
_KNOWN = {"page_size", "page_token", "filter", *_SHORTHANDS}


@final
class Bodies:
    """Reads bodies. Of the large ones few arrive or wait at once, and one is worked on at a time."""

    def __init__(self, *, arrives_within_s: float = _ARRIVES_WITHIN_S) -> None:
        self._places = Places(LARGE_CALLS)
        self._large = Semaphore(1)
        self._arrives_within_s = arrives_within_s

    @asynccontextmanager
    async def whole(self, request: Request) -> AsyncIterator[bytes]:
        """The whole body; a large one is the only one during this block. Raises InvalidRequest, TooManyCalls."""
        body, chunks = bytearray(), request.stream()
        async for chunk in chunks:
            body += chunk
            if len(body) > LARGE_BYTES:
                break
        if len(body) <= LARGE_BYTES and body.count(b"{") <= LARGE_TRADES:
            yield bytes(body)
            return
        with self._places.one(otherwise=too_many_large()):
            whole = await self._rest(body, chunks)
            async with self._large:
                yield whole

    async def _rest(self, body: bytearray, chunks: AsyncIterator[bytes]) -> bytes:
        try:
            async with asyncio.timeout(self._arrives_within_s):
                while len(body) <= MAX_BODY_BYTES:
                    body += await anext(chunks)
        except StopAsyncIteration:
            return bytes(body)
        except TimeoutError:
            raise _bad(
                "body", f"did not arrive within {self._arrives_within_s:g} s: send it faster, or less of it"
            ) from None
        raise _bad("body", f"give at most {MAX_BODY_BYTES:,} bytes")


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
