"""Rules, and the account's state, as YAML or JSON, which is YAML too. Errors name the key and the remedy."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from google.protobuf import json_format
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from montecarlo.v1 import rules_pb2
from riskio.invalid import InvalidFile, nearest

Kind = TypeVar("Kind", bound=Message)
_MOST: Final = 2**31 - 1
_WHOLE: Final = re.compile(r"[+-]?\d{1,10}", re.ASCII)
_OCTAL: Final = re.compile(r"[+-]?0\d+", re.ASCII)


def read_rules(path: Path) -> tuple[rules_pb2.AccountRules, rules_pb2.AccountState | None]:
    """The rules of a YAML or JSON file, and the account's state if it has an `account`.

    Raises: InvalidFile, OSError.
    """
    tree = _tree(path)
    if not isinstance(tree, dict):
        raise InvalidFile(str(path), 'holds no rules: it needs at least a line such as starting_balance: "50000.00"')
    account = tree.pop("account", None)
    rules = _message(rules_pb2.AccountRules(), tree, "rules")
    return rules, None if account is None else _message(rules_pb2.AccountState(), account, "account")


class _Unclear(Exception):
    """What YAML would take in silence, and not as it is meant."""

    def __init__(self, node: yaml.Node, description: str) -> None:
        self.line = node.start_mark.line + 1
        self.description = description
        super().__init__(description)


class _Loader(yaml.SafeLoader):
    """Refuses repeated keys, and numbers that are not read as they are written."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 — PyYAML's own
        """As of SafeLoader. Raises: _Unclear."""
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in lines:
                    why = f"repeats the key {key.value!r} of line {lines[key.value]}: give it once"
                    raise _Unclear(key, why)
                lines[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)

    def as_written(self, node: yaml.ScalarNode) -> int | float:
        """17:00 would be 1020 and 010 be 8. Raises: _Unclear."""
        text = str(node.value)
        if ":" in text or _OCTAL.fullmatch(text):
            raise _Unclear(node, f'{text} must be written in quotes, "{text}": YAML takes it for another number')
        kind = node.tag.rpartition(":")[2]
        return self.construct_yaml_int(node) if kind == "int" else self.construct_yaml_float(node)


for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.as_written)


def _tree(path: Path) -> object:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 — a SafeLoader
    except _Unclear as unclear:
        raise InvalidFile(f"{path} line {unclear.line}", unclear.description) from None
    except (ValueError, RecursionError, yaml.YAMLError) as broken:
        raise InvalidFile(str(path), f"is neither YAML nor JSON: {broken}") from broken


def _message(message: Kind, tree: object, place: str) -> Kind:
    try:
        return json_format.ParseDict(_named(message.DESCRIPTOR.fields_by_name, tree, place), message)
    except json_format.ParseError as reason:
        raise InvalidFile(place, str(reason)) from reason


def _named(fields: Mapping[str, Any], tree: object, place: str) -> dict[str, object]:
    """The tree in ProtoJSON: keys checked, enum names in full, numbers given for decimal strings as text."""
    if not isinstance(tree, dict):
        raise InvalidFile(place, f"must hold keys such as {', '.join(list(fields)[:3])}")
    named = {}
    for key, value in tree.items():
        field = fields.get(key)
        if field is None:
            near = nearest(str(key), fields)
            raise InvalidFile(f"{place}.{key}", f"is an unknown key{near or ': known are ' + ', '.join(fields)}")
        named[key] = _value(field, value, f"{place}.{key}")
    _check_choices([fields[key] for key in named], place)
    return named


def _check_choices(given: Iterable[FieldDescriptor], place: str) -> None:
    """Of keys that exclude each other, one."""
    chosen: dict[str, str] = {}
    for field in given:
        if field.containing_oneof is not None:
            other = chosen.setdefault(field.containing_oneof.name, field.name)
            if other != field.name:
                raise InvalidFile(place, f"has both {other} and {field.name}: give one of them")


def _value(field: FieldDescriptor, value: object, place: str) -> object:
    if not field.is_repeated:
        return _one(field, value, place)
    if not isinstance(value, list):
        raise InvalidFile(place, "must be a list")
    return [_one(field, each, f"{place}[{index}]") for index, each in enumerate(value)]


def _one(field: FieldDescriptor, value: object, place: str) -> object:
    if field.message_type is not None:
        return _named(field.message_type.fields_by_name, value, place)
    if field.enum_type is not None:
        return _enum(field.enum_type, value, place)
    if field.type == FieldDescriptor.TYPE_STRING:
        return value if isinstance(value, str) else _text(value, place)
    return _whole(value, place) if field.type == FieldDescriptor.TYPE_INT32 else value


def _enum(kind: EnumDescriptor, value: object, place: str) -> str:
    """The full name of an enum's value, which may be given without its prefix."""
    prefix = kind.values[0].name.removesuffix("UNSPECIFIED")
    short = [name.removeprefix(prefix) for name in kind.values_by_name][1:]
    given = str(value).removeprefix(prefix)
    if given not in short:
        raise InvalidFile(place, f"{_shown(value)} is not one of {', '.join(short)}{nearest(given, short)}")
    return prefix + given


def _text(value: object, place: str) -> str:
    """Whole numbers are taken as text. A fraction may have been rounded on reading, so it must be quoted."""
    if value is None:
        raise InvalidFile(place, "has no value: give one, or leave the key out")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise InvalidFile(place, f'{_shown(value)} must be written in quotes, such as "{_shown(value)}"')


def _shown(value: object) -> str:
    """As YAML writes it."""
    match value:
        case bool():
            return str(value).lower()
        case date():
            return value.isoformat()
        case str():
            return repr(value)
        case _:
            return str(value)


def _whole(value: object, place: str) -> int | None:
    """A whole number, also in quotes; None stands for none given."""
    if value is None:
        return None
    text = str(value)
    if isinstance(value, bool) or not _WHOLE.fullmatch(text) or abs(int(text)) > _MOST:
        raise InvalidFile(place, f"{_shown(value)} is not a whole number up to {_MOST}: write it like 30")
    return int(text)
