"""Refuses what a later version would understand and this one does not: it would simulate something else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from mcsvc.entrypoints.api.fields import Checker


def check_known(check: Checker, path: str, message: Message) -> None:
    """Notes every field and every value of an enum that this version does not know, within the message."""
    for unknown in UnknownFieldSet(message):  # type: ignore[attr-defined]  # a sequence, which its stub does not say
        check.reject(path, f"has a field {unknown.field_number} that this version of the service does not know")
    for field, value in message.ListFields():
        for place, each in _each(f"{path}.{field.name}", field, value):
            if field.enum_type is not None and each not in field.enum_type.values_by_number:
                names = ", ".join(known.name for known in field.enum_type.values if known.number)
                check.reject(place, f"{each} is no value of this version: use one of {names}")
            elif isinstance(each, Message):
                check_known(check, place, each)


def _each(path: str, field: FieldDescriptor, value: object) -> Iterator[tuple[str, object]]:
    if field.is_repeated and isinstance(value, Iterable):
        yield from ((f"{path}[{index}]", each) for index, each in enumerate(value))
    else:
        yield path, value
