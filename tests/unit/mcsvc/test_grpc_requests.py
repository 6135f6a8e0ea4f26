"""Requests of gRPC: what is made of them, how much of it, and how many at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from queue import Queue
from threading import Thread

import grpc
import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import given
from hypothesis import strategies as st

from mcsvc.domain.errors import InvalidRequest
from mcsvc.entrypoints.api.problems import TooManyCalls
from mcsvc.entrypoints.api.trigger_requests import MAX_TRADES
from mcsvc.entrypoints.grpc.requests import NoMessage, Requests, count_fields
from mcsvc.entrypoints.grpc.server import MAX_RECEIVED_BYTES, SERVICE
from montecarlo.v1 import simulation_service_pb2, trade_pb2
from montecarlo.v1 import simulation_service_pb2 as pb
from tests.mcsvc_harness import WAIT_S, System, grpc_server

TRIGGER = f"/{SERVICE}/TriggerSimulation"
REQUEST = pb.TriggerSimulationRequest.DESCRIPTOR
LONGEST = "-123456789012345.123456789"  # of the decimals that there may be
LISTS = (
    "subject.inline.trades",
    "subject.inline.rules.phases",
    "subject.inline.rules.payout.caps",
    "subject.inline.rules.payout.splits",
    "settings.scenarios",
    "settings.precision",
)
TRADE = trade_pb2.Trade(
    pnl=LONGEST, mae=LONGEST, mfe=LONGEST, commission=LONGEST, quantity=LONGEST, instrument="EURUSD.pro", currency="USD"
)
TRADE.closed_at.FromJsonString("2026-01-31T16:00:00.999999999Z")
TRADE.opened_at.FromJsonString("2026-01-31T09:30:00.999999999Z")


def history(trades: int, trade: trade_pb2.Trade = TRADE) -> pb.TriggerSimulationRequest:
    request = pb.TriggerSimulationRequest(request_id="r-1")
    request.settings.paths = 1000
    request.settings.scenarios.add(name="worse").stress.loss_factor = 1.3
    request.subject.inline.rules.starting_balance = "50000.00"
    request.subject.inline.rules.payout.caps.extend(["1500.00", "2000.00"])
    request.subject.inline.trades.extend([trade] * trades)
    return request


def requests() -> Requests:
    return Requests(simulation_service_pb2.DESCRIPTOR.services_by_name["SimulationService"])


def entries(message: Message) -> int:
    """How many entries all its lists have."""
    found = 0
    for field, value in message.ListFields():
        inner = list(value) if field.is_repeated else [value]
        found += len(inner) if field.is_repeated else 0
        found += sum(entries(each) for each in inner if isinstance(each, Message))
    return found


def test_the_longest_history_is_taken_with_all_its_fields() -> None:
    trade = trade_pb2.Trade()
    trade.CopyFrom(TRADE)
    assert {field.name for field, _ in trade.ListFields()} == set(trade_pb2.Trade.DESCRIPTOR.fields_by_name)
    request = history(MAX_TRADES)
    data = request.SerializeToString()
    assert len(data) < MAX_RECEIVED_BYTES
    with requests().parsed(TRIGGER, data) as parsed:
        assert parsed == request


REFUSE_EMPTY = """
import re
from pathlib import Path
from mcsvc.domain.errors import InvalidRequest
from mcsvc.entrypoints.grpc.server import MAX_RECEIVED_BYTES
from tests.unit.mcsvc.test_grpc_requests import TRIGGER, requests, within_lists
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
for data in within_lists(MAX_RECEIVED_BYTES):
    before = peak()
    try:
        with requests().parsed(TRIGGER, data):
            print("taken")
    except InvalidRequest as error:
        print(error, max(peak() - before - 1_000_000, 0) // 1_000_000)
"""


def within_lists(size: int) -> Iterator[bytes]:
    """Requests of about this size, made of empty entries of each list."""
    for names in LISTS:
        numbers, kind = [], REQUEST
        for name in names.split("."):
            field = kind.fields_by_name[name]
            numbers.append(field.number)
            kind = field.message_type
        data = bytes([numbers[-1] << 3 | 2, 0]) * (size // 2 - 40)
        for number in reversed(numbers[:-1]):
            data = bytes([number << 3 | 2]) + varint(len(data)) + data
        yield data


def varint(value: int) -> bytes:
    rest, low = divmod(value, 128)
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def test_two_bytes_each_make_no_millions_of_messages() -> None:
    told = subprocess.run([sys.executable, "-c", REFUSE_EMPTY], capture_output=True, text=True, check=True)
    refused = "TriggerSimulationRequest: holds too much: give at most 100,000 trades 0"
    assert told.stdout.splitlines() == [refused] * len(LISTS)


def test_every_list_of_a_request_is_among_those() -> None:
    found = [pb.TriggerSimulationRequest.FromString(data) for data in within_lists(100)]
    assert [entries(each) for each in found] == [10] * len(LISTS)
    lists = sum(
        field.is_repeated for kind in messages(pb.TriggerSimulationRequest()) for field in kind.DESCRIPTOR.fields
    )
    assert lists == len(LISTS)


def messages(message: Message) -> Iterator[Message]:
    """Of each type within, one."""
    yield message
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None:
            inner = getattr(message, field.name)
            yield from messages(inner.add() if field.is_repeated else inner)


@given(data=st.data())
def test_no_bytes_hold_more_than_is_counted(data: st.DataObject) -> None:
    whole = bytearray(history(data.draw(st.integers(0, 3))).SerializeToString())
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    try:
        parsed = pb.TriggerSimulationRequest.FromString(bytes(whole))
    except DecodeError:
        return
    try:
        assert entries(parsed) <= count_fields(bytes(whole), REQUEST)
    except NoMessage:
        return


@pytest.mark.parametrize("data", [b"\x0a", b"\x0a\x05a", b"\x0b", b"\xff" * 20, b"\x12\x02\x1a\x01", b"\x0a\x01\xff"])
def test_bytes_that_are_no_message_are_bad_fields(data: bytes) -> None:
    with grpc_server(System()) as (_, channel):
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(TRIGGER)(data, timeout=WAIT_S)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert str(caught.value.details()).startswith("TriggerSimulationRequest: cannot be read")


@pytest.mark.parametrize("large", [history(3000, trade_pb2.Trade()), history(1500)], ids=["many", "long"])
def test_of_large_requests_there_is_one_at_a_time_few_wait_and_small_ones_pass(
    large: pb.TriggerSimulationRequest,
) -> None:
    shared, ended = requests(), Queue[str]()
    data = large.SerializeToString()

    def ask() -> None:
        try:
            with shared.parsed(TRIGGER, data):
                ended.put("taken")
        except TooManyCalls:
            ended.put("refused")

    with shared.parsed(TRIGGER, data):
        threads = [Thread(target=ask, daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        assert ended.get(timeout=WAIT_S) == "refused"
        with shared.parsed(TRIGGER, history(2).SerializeToString()) as small:
            assert small == history(2)
        assert ended.empty()
    assert [ended.get(timeout=WAIT_S) for _ in range(7)] == ["taken"] * 7


def test_a_refused_request_leaves_its_place() -> None:
    shared = requests()
    for _ in range(20):
        with pytest.raises(InvalidRequest), shared.parsed(TRIGGER, history(3000).SerializeToString() + b"\x0a\x01\xff"):
            pass
