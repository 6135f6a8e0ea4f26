"""Requests of gRPC, parsed on the thread of their call, and only what holds no more than the API takes.

Two bytes can be a message of a list, of which protobuf makes 150: so what a request holds is counted before it is made.
grpc itself would parse on the one thread that serves all calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Final, final

from google.protobuf.descriptor import Descriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from mcsvc.domain.errors import InvalidRequest, Violation
from mcsvc.entrypoints.api.places import LARGE_BYTES, LARGE_CALLS, LARGE_TRADES, Places, too_many_large
from mcsvc.entrypoints.api.trigger_requests import MAX_TRADES

MOST_FIELDS: Final = MAX_TRADES + 1000
"""Of the messages that hold lists; each entry of a list is one."""
_DELIMITED: Final = 2
_LONGEST_VARINT: Final = 70  # bits
_UNREADABLE: Final = "cannot be read: give what the API's protos have, as protobuf writes it"


class NoMessage(ValueError):
    """The bytes are no message, or one that this API has not."""


@final
class Requests:
    """Parses the requests of one service: of the large ones one at a time, while few wait."""

    def __init__(self, service: ServiceDescriptor) -> None:
        self._kinds = {f"/{service.full_name}/{each.name}": each.input_type for each in service.methods}
        self._places = Places(LARGE_CALLS)
        self._large = Lock()

    @contextmanager
    def parsed(self, method: str, data: bytes) -> Iterator[Message]:
        """The request of a call, "/package.Service/Method". Raises InvalidRequest, TooManyCalls."""
        kind = self._kinds[method]
        if len(data) <= LARGE_BYTES and _counted(data, kind) <= LARGE_TRADES:
            yield _parsed(data, kind)
            return
        with self._places.one(otherwise=too_many_large()), self._large:
            _counted(data, kind)
            yield _parsed(data, kind)


def count_fields(data: bytes, kind: Descriptor) -> int:
    """How many fields there are on the wire in all messages that hold lists. Raises NoMessage, also beyond MOST_FIELDS.

    Elsewhere a field given again takes the place of the one before, so that the message is no larger than its bytes.
    """
    count, unread = 0, [(kind, 0, len(data))]
    while unread:
        kind, at, end = unread.pop()
        while at < end:
            count += 1
            if count > MOST_FIELDS:
                raise NoMessage(f"holds too much: give at most {MAX_TRADES:,} trades")
            key, at = _varint(data, at)
            size, start = _extent(data, key & 7, at)
            at = start + size
            if at > end:
                raise NoMessage(_UNREADABLE)
            field = kind.fields_by_number.get(key >> 3)
            inner = field.message_type if field is not None and key & 7 == _DELIMITED else None
            if inner is not None and _holds_lists(inner):
                unread.append((inner, start, at))
    return count


def _extent(data: bytes, wire_type: int, at: int) -> tuple[int, int]:
    """The size and the start of the value of a field, whose key ends at `at`."""
    match wire_type:
        case 0:
            return 0, _varint(data, at)[1]
        case 1:
            return 8, at
        case 2:
            return _varint(data, at)
        case 5:
            return 4, at
        case _:
            raise NoMessage(_UNREADABLE)  # a group, which proto3 has not


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of 7 bits a byte, the least first, and where it ends."""
    value = shift = 0
    while at < len(data) and shift < _LONGEST_VARINT:
        byte, at = data[at], at + 1
        if byte < 0x80:
            return value | byte << shift, at
        value |= (byte & 0x7F) << shift
        shift += 7
    raise NoMessage(_UNREADABLE)


@cache
def _holds_lists(kind: Descriptor) -> bool:
    inner = [each.message_type for each in kind.fields if each.message_type is not None]
    return any(each.is_repeated for each in kind.fields) or any(map(_holds_lists, inner))


def _counted(data: bytes, kind: Descriptor) -> int:
    try:
        return count_fields(data, kind)
    except NoMessage as error:
        raise _refused(kind, str(error)) from error


def _parsed(data: bytes, kind: Descriptor) -> Message:
    try:
        return GetMessageClass(kind).FromString(data)
    except DecodeError as error:
        raise _refused(kind, _UNREADABLE) from error


def _refused(kind: Descriptor, description: str) -> InvalidRequest:
    return InvalidRequest([Violation(field=kind.name, description=description)])
