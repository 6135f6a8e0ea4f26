"""Bodies of HTTP requests: how large they may be, what is made of them, and how many at once."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import Iterable

import pytest
from starlette.requests import Request
from starlette.types import Message

from mcsvc.domain.errors import InvalidRequest
from mcsvc.entrypoints.api.problems import TooManyCalls
from mcsvc.entrypoints.http import protojson, requests
from mcsvc.entrypoints.http.requests import MAX_BODY_BYTES, Bodies
from montecarlo.v1 import trade_pb2
from tests.mcsvc_harness import WAIT_S

LARGE = b" " * 1_000_000
TRADE = {
    "closed_at": "2026-01-31T16:00:00.123456Z", "pnl": "-123456.78", "opened_at": "2026-01-31T09:30:00.123456Z",
    "mae": "-123456.78", "mfe": "123456.78", "commission": "123.45", "instrument": "EURUSD", "quantity": "1000000",
    "currency": "USD",
}  # fmt: skip


def request(chunks: Iterable[bytes], *, ends: bool = True) -> Request:
    """A request of which these chunks arrive; one that does not end says nothing more."""
    arriving = iter(chunks)

    async def receive() -> Message:
        chunk = next(arriving, None)
        if chunk is None and not ends:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


async def read(bodies: Bodies, asked: Request) -> int:
    """The length of its body."""
    async with bodies.whole(asked) as body:
        return len(body)


def test_the_longest_history_fits_with_all_its_fields() -> None:
    assert TRADE.keys() == set(trade_pb2.Trade.DESCRIPTOR.fields_by_name)
    assert len(json.dumps(TRADE) + ", ") * protojson.MAX_LIST < MAX_BODY_BYTES


@pytest.mark.parametrize("chunk", [1000, 65_536, 1_000_000])
def test_a_body_is_read_whole_up_to_the_limit_and_no_further(chunk: int) -> None:
    whole, rest = divmod(MAX_BODY_BYTES, chunk)
    chunks = [b" " * chunk] * whole + [b" " * rest]
    assert asyncio.run(read(Bodies(), request(chunks))) == MAX_BODY_BYTES
    with pytest.raises(InvalidRequest, match="body: give at most 25,165,824 bytes"):
        asyncio.run(read(Bodies(), request([*chunks, b" "])))


def test_of_large_bodies_there_is_one_at_a_time_and_small_ones_pass() -> None:
    async def claims() -> None:
        bodies, ended = Bodies(), asyncio.Event()
        async with bodies.whole(request([LARGE])):
            other = asyncio.create_task(read(bodies, request([LARGE] * 3)))
            other.add_done_callback(lambda _: ended.set())
            for _ in range(100):
                await asyncio.sleep(0)  # a turn for the other, which waits for nothing else
            assert await read(bodies, request([b"{}"])) == 2
            assert not ended.is_set()
        assert await asyncio.wait_for(other, WAIT_S) == 3 * len(LARGE)

    asyncio.run(claims())


@pytest.mark.parametrize("body", [b"{}," * 2501, LARGE], ids=["many", "long"])
def test_few_large_bodies_wait_and_one_more_is_refused_at_once(body: bytes) -> None:
    async def claims() -> None:
        bodies = Bodies()
        async with bodies.whole(request([body])):
            waiting = [asyncio.create_task(read(bodies, request([body]))) for _ in range(7)]
            for _ in range(100):
                await asyncio.sleep(0)  # a turn for the others, which wait for nothing else
            with pytest.raises(TooManyCalls, match="8 calls with long histories"):
                await read(bodies, request([body]))
            assert await read(bodies, request([b"{}"])) == 2
            assert not any(each.done() for each in waiting)
        assert await asyncio.gather(*waiting) == [len(body)] * 7

    asyncio.run(claims())


def test_a_large_body_that_does_not_arrive_makes_way() -> None:
    async def claims() -> None:
        bodies = Bodies(arrives_within_s=0.01)
        with pytest.raises(InvalidRequest, match=r"did not arrive within 0\.01 s"):
            await read(bodies, request([LARGE], ends=False))
        assert await asyncio.wait_for(read(bodies, request([b" " * 300_000])), WAIT_S) == 300_000

    asyncio.run(claims())


def test_large_bodies_that_stall_keep_no_other_waiting() -> None:
    async def claims() -> None:
        bodies = Bodies()
        stalled = [asyncio.create_task(read(bodies, request([LARGE], ends=False))) for _ in range(7)]
        for _ in range(100):
            await asyncio.sleep(0)  # a turn for them, who wait for nothing but their rest
        assert await asyncio.wait_for(read(bodies, request([LARGE])), WAIT_S) == len(LARGE)
        for each in stalled:
            each.cancel()

    asyncio.run(claims())


@pytest.mark.parametrize("entry", [b"[]", b"{}", b"[1]", b'{"a":{}}', b'"ab"'])
def test_few_bytes_that_would_become_much_are_refused_before_they_do(entry: bytes) -> None:
    body = b'{"settings":{"scenarios":[' + b",".join([entry] * 3_000_000) + b"]}}"
    tracemalloc.start()
    with pytest.raises(InvalidRequest, match="body: holds too much: give at most 100,000 trades"):
        requests.trigger_request(body)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_too_many_objects_are_refused_as_they_are_made() -> None:
    body = b'{"settings":{"scenarios":[' + b",".join([b"{}"] * 1_000_000) + b"]}}"
    with pytest.raises(InvalidRequest, match="body: holds too much: give at most 100,000 trades"):
        requests.trigger_request(body)


def test_a_list_that_is_too_long_is_named_and_not_looked_into() -> None:
    body = json.dumps({"settings": {"precision": [1] * 100_001}}).encode()
    with pytest.raises(InvalidRequest, match=r"^settings.precision: give at most 100,000 entries, not 100,001$"):
        requests.trigger_request(body)


def test_misfits_are_counted_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protojson, "_MOST_MISFITS", 100)
    body = json.dumps({f"a{number}": 1 for number in range(1000)}).encode()
    with pytest.raises(InvalidRequest, match="others: 80 more fields are bad"):
        requests.trigger_request(body)
