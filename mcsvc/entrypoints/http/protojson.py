"""ProtoJSON of a request: what does not fit its message is told by its field, all of it at once.

protobuf's own reader stops at the first misfit, and seldom says where it is.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, TypeVar, cast

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from mcsvc.domain.errors import InvalidRequest, Violation

M = TypeVar("M", bound=Message)
Misfits = Iterator[Violation]

BODY: Final = "body"
MAX_LIST: Final = 100_000
"""Entries of a list; the longest one that there may be holds trades."""
_MOST_VALUES: Final = 12 * MAX_LIST  # a trade has 9
_MOST_MISFITS: Final = 3 * MAX_LIST  # that are counted
_MOST_OBJECTS: Final = MAX_LIST + 1000
_TOO_MUCH: Final = f"holds too much: give at most {MAX_LIST:,} trades, and each of their fields once"
_SHOWN: Final = 40
"""Characters of a value that an answer repeats."""
_TIME: Final = "give a time with its offset from UTC, such as 2026-01-31T16:00:00Z"
_IN_QUOTES: Final = ("NaN", "Infinity", "-Infinity")
"""How ProtoJSON writes the numbers that JSON has not."""
_WHOLE: Final = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def read(body: bytes, message: M) -> M:
    """The message, filled. Raises InvalidRequest naming each bad field.

    Few bytes of JSON can make a large value, such as [[],[],[]]: what is more than trades need is refused unmade.
    """
    if body.count(b",") > _MOST_VALUES:
        raise _refused([Violation(field=BODY, description=_TOO_MUCH)])
    try:
        value = json.loads(body, object_pairs_hook=_Objects())
    except (ValueError, RecursionError) as error:
        raise _refused([Violation(field=BODY, description=f"is not JSON: {error}")]) from error
    misfits = list(islice(_of_message(value, cast("Descriptor", message.DESCRIPTOR), ""), _MOST_MISFITS))
    if misfits:
        raise _refused(misfits)
    try:
        return json_format.ParseDict(value, message)
    except json_format.ParseError as error:
        raise _refused([Violation(field=BODY, description=f"cannot be read: {error}")]) from error


class _Objects:
    """Makes the objects of one body, none with a name given twice, and not too many."""

    def __init__(self) -> None:
        self._made = 0

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self._made += 1
        if self._made > _MOST_OBJECTS:
            raise _refused([Violation(field=BODY, description=_TOO_MUCH)])
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
            raise ValueError(f"an object gives {_cut(twice)} twice")
        return found


def _of_message(value: object, kind: Descriptor, path: str) -> Misfits:
    if not isinstance(value, dict):
        yield Violation(field=path or BODY, description="give an object, in {}")
        return
    fields = {name: field for field in kind.fields for name in (field.name, field.json_name)}
    given = {name: each for name, each in value.items() if each is not None}
    for name in given.keys() - fields.keys():
        yield Violation(field=path or BODY, description=f"has no field {_cut(name)}")
    chosen = [fields[name] for name in given if name in fields]
    for field in {each.name: each for each in chosen if chosen.count(each) > 1}.values():
        yield Violation(field=_within(path, field), description="is given twice: give one spelling of its name")
    for one_of in kind.oneofs:
        names = [field.name for field in one_of.fields if field in chosen]
        if len(names) > 1:
            yield Violation(field=path or BODY, description=f"gives {' and '.join(names)}: give one of them")
    for name, each in given.items():
        if name in fields:
            yield from _of_field(each, fields[name], _within(path, fields[name]))


def _of_field(value: object, field: FieldDescriptor, path: str) -> Misfits:
    if not field.is_repeated:
        yield from _of_one(value, field, path)
    elif not isinstance(value, list):
        yield Violation(field=path, description="give a list, in []")
    elif len(value) > MAX_LIST:
        yield Violation(field=path, description=f"give at most {MAX_LIST:,} entries, not {len(value):,}")
    else:
        for index, each in enumerate(value):
            yield from _of_one(each, field, f"{path}[{index}]")


def _of_one(value: object, field: FieldDescriptor, path: str) -> Misfits:
    kind = field.message_type
    if kind is not None and kind.full_name != Timestamp.DESCRIPTOR.full_name:
        yield from _of_message(value, kind, path)
        return
    misfit = _time(value) if kind is not None else _SCALARS[field.cpp_type](value, field)
    if misfit:
        yield Violation(field=path, description=misfit)


def _time(value: object) -> str:
    try:
        Timestamp().FromJsonString(value)  # type: ignore[arg-type]  # whatever it is: what is no text is refused
    except (ValueError, TypeError, AttributeError, OverflowError):
        return _TIME
    return ""


def _text(value: object, _field: FieldDescriptor) -> str:
    return "" if isinstance(value, str) else "give a text, in quotes"


def _truth(value: object, _field: FieldDescriptor) -> str:
    return "" if isinstance(value, bool) else "give true or false, without quotes"


def _choice(value: object, field: FieldDescriptor) -> str:
    kind = cast("EnumDescriptor", field.enum_type)
    number = isinstance(value, int) and not isinstance(value, bool)
    if number or (isinstance(value, str) and value in kind.values_by_name):
        return ""
    return f"{_cut(value)} is not one of {', '.join(each.name for each in kind.values if each.number)}"


def _whole(value: object, field: FieldDescriptor) -> str:
    try:
        number = math.nan if isinstance(value, bool) else int(value) if isinstance(value, str) else value
        whole = isinstance(number, int | float) and number == int(number)
    except (ValueError, OverflowError):
        whole = False
    low, high = _WHOLE[field.cpp_type]
    if not whole:
        return f"{_cut(value)} is not a whole number"
    return "" if low <= number <= high else f"{_cut(value)} is out of range"  # type: ignore[operator]  # a number


def _number(value: object, _field: FieldDescriptor) -> str:
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]  # what is none is refused
    except (ValueError, TypeError, OverflowError):
        number = math.nan
    told = isinstance(value, str) and value in _IN_QUOTES
    return "" if told or math.isfinite(number) else f"{_cut(value)} is not a number"


_SCALARS: Final[dict[int, Callable[[object, FieldDescriptor], str]]] = {
    FieldDescriptor.CPPTYPE_STRING: _text,
    FieldDescriptor.CPPTYPE_BOOL: _truth,
    FieldDescriptor.CPPTYPE_ENUM: _choice,
    FieldDescriptor.CPPTYPE_DOUBLE: _number,
    FieldDescriptor.CPPTYPE_FLOAT: _number,
    **dict.fromkeys(_WHOLE, _whole),
}


def _within(path: str, field: FieldDescriptor) -> str:
    return f"{path}.{field.name}" if path else field.name


def _cut(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _refused(violations: list[Violation]) -> InvalidRequest:
    return InvalidRequest(violations)
