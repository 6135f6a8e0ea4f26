"""Trades as CSV and rules as YAML or JSON, to the engine's message. Errors name row, column and remedy."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from google.protobuf import json_format
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import rules_pb2, trade_pb2

Kind = TypeVar("Kind", bound=Message)
REQUIRED: Final = ("closed_at", "pnl")
TEXTS: Final = ("pnl", "mae", "mfe", "commission", "instrument", "quantity")


class InvalidFile(ValueError):
    """A file cannot be read as what it should be: `place` in it, and what is wrong there and how to mend it."""

    def __init__(self, place: str, description: str) -> None:
        """The message is "place: description"."""
        self.place = place
        self.description = description
        super().__init__(f"{place}: {description}")


def read_input(trades: Path, rules: Path) -> engine_pb2.SimulateInput:
    """The input that two files hold, with all settings left open.

    Raises: InvalidFile, OSError.
    """
    account_rules, account = read_rules(rules)
    message = engine_pb2.SimulateInput(trades=read_trades(trades), rules=account_rules)
    if account is not None:
        message.account.CopyFrom(account)
    return message


def read_trades(path: Path) -> list[trade_pb2.Trade]:
    """The trades of a CSV file with a header.

    Raises: InvalidFile, OSError.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return list(_rows(path, csv.DictReader(lines)))
    except (UnicodeDecodeError, csv.Error) as broken:
        raise InvalidFile(str(path), f"is not a CSV file in UTF-8 ({broken}): save it as one") from broken


def _rows(path: Path, reader: csv.DictReader[str]) -> Iterator[trade_pb2.Trade]:
    columns = reader.fieldnames or ()
    for name in REQUIRED:
        if name not in columns:
            near = _nearest(name, columns)
            raise InvalidFile(str(path), f"has no column {name!r}{near}: the header must name closed_at and pnl")
    for row in reader:
        yield _trade(f"{path} line {reader.line_num}", row)


def _trade(place: str, row: Mapping[str, str | None]) -> trade_pb2.Trade:
    trade = trade_pb2.Trade()
    for name in TEXTS:
        setattr(trade, name, (row.get(name) or "").strip())
    for name in ("closed_at", "opened_at"):
        text = (row.get(name) or "").strip()
        if text:
            getattr(trade, name).FromDatetime(_time(f"{place}, {name}", text))
    return trade


def _time(place: str, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as unreadable:
        raise InvalidFile(place, f"{text!r} is not a time: write it like 2026-01-31T16:05:00Z") from unreadable
    if at.tzinfo is None:
        raise InvalidFile(place, f"{text!r} has no offset from UTC: write it like {text}Z")
    return at.astimezone(UTC).replace(tzinfo=None)


def read_rules(path: Path) -> tuple[rules_pb2.AccountRules, rules_pb2.AccountState | None]:
    """The rules of a YAML or JSON file, and the account's state if it has an `account`.

    Raises: InvalidFile, OSError.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as broken:
        raise InvalidFile(str(path), f"is neither YAML nor JSON: {broken}") from broken
    if not isinstance(tree, dict):
        raise InvalidFile(str(path), 'holds no rules: it needs at least a line such as starting_balance: "50000.00"')
    account = tree.pop("account", None)
    rules = _message(rules_pb2.AccountRules(), tree, "rules")
    return rules, None if account is None else _message(rules_pb2.AccountState(), account, "account")


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
            near = _nearest(str(key), fields)
            raise InvalidFile(f"{place}.{key}", f"is an unknown key{near or ': known are ' + ', '.join(fields)}")
        named[key] = _value(field, value, f"{place}.{key}")
    return named


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
    if field.type == FieldDescriptor.TYPE_STRING and not isinstance(value, str):
        return _text(value, place)
    return value


def _enum(kind: EnumDescriptor, value: object, place: str) -> str:
    """The full name of an enum's value, which may be given without its prefix."""
    prefix = kind.values[0].name.removesuffix("UNSPECIFIED")
    short = [name.removeprefix(prefix) for name in kind.values_by_name][1:]
    given = str(value).removeprefix(prefix)
    if given not in short:
        raise InvalidFile(place, f"{value!r} is not one of {', '.join(short)}{_nearest(given, short)}")
    return prefix + given


def _text(value: object, place: str) -> str:
    """Whole numbers are taken as text. A fraction may have been rounded on reading, so it must be quoted."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise InvalidFile(place, f'{value!r} must be written in quotes, such as "{value}"')


def _nearest(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {found[0]!r}?)" if found else ""
