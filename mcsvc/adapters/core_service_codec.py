"""Bodies of the Core Service as contract messages (docs/core-service.md). Every refusal names the field.

Unknown fields are ignored, but not within rules and account: leaving out a rule one does not know would give a wrong
answer rather than none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

from mcsvc.domain.errors import CoreServiceInvalid
from mcsvc.ports.core_service import AccountPage, AccountRecord
from montecarlo.v1 import rules_pb2, trade_pb2
from riskio.currencies import UnknownCurrency, minor_digits

Body = Mapping[str, Any]
AnyMessage = TypeVar("AnyMessage", bound=Message)

_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")
_ID_LENGTH = 128
_OPTIONAL_AMOUNTS = ("mae", "mfe", "commission", "quantity")

_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_FIRST: Final = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _SECOND
_LAST: Final = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _EPOCH) // _SECOND
"""What a Timestamp may hold, in seconds."""


def account_record(body: Body, *, ref: str, status_field: str) -> AccountRecord:
    """An assessment (`status_field` "outcome") or a funded account ("status")."""
    if body.get("id") != ref:
        raise CoreServiceInvalid(f"id: asked for {ref!r}, answered {body.get('id')!r}. Answer the one asked for.")
    rules = _message(body, "rules", rules_pb2.AccountRules())
    if rules is None or not rules.starting_balance:
        raise CoreServiceInvalid("rules.starting_balance: missing. Every account starts with a balance.")
    state = _message(body, "account", rules_pb2.AccountState())
    if state is not None and not state.balance:
        raise CoreServiceInvalid("account.balance: missing. Give the balance, or leave account out for a fresh one.")
    return AccountRecord(rules=rules, state=state, status=_text(body, status_field, where=status_field))


def trades(body: Body, *, first: int) -> list[trade_pb2.Trade]:
    """One page of trades; `first` is how many came before, so that an error names the trade's place in the list."""
    return [_trade(item, f"trades[{number}]") for number, item in enumerate(_list(body, "trades"), first)]


def funded_account_page(body: Body) -> AccountPage:
    """One page of funded account ids. An entry that breaks the contract is refused alone: the others are still good."""
    ids: list[str] = []
    refused: list[str] = []
    for number, item in enumerate(_list(body, "funded_accounts")):
        try:
            ids.append(_account_id(item, f"funded_accounts[{number}]"))
        except CoreServiceInvalid as error:
            refused.append(str(error))
    return AccountPage(ids=ids, next_page_token=next_page_token(body), refused=refused)


def next_page_token(body: Body) -> str:
    """The token of the next page, "" on the last."""
    token = body.get("next_page_token") or ""
    if not isinstance(token, str):
        raise CoreServiceInvalid(f"next_page_token: {token!r} is not a string.")
    return token


def _account_id(item: object, where: str) -> str:
    ref = _text(_object(item, where), "id", where=f"{where}.id")
    if len(ref) > _ID_LENGTH or not ref.isprintable():
        raise CoreServiceInvalid(f"{where}.id: {ref[:_ID_LENGTH]!r} is not 1 to {_ID_LENGTH} printable characters.")
    return ref


def _trade(item: object, where: str) -> trade_pb2.Trade:
    body = _object(item, where)
    fields: dict[str, Any] = {"closed_at": _time(body, "closed_at", where), "pnl": _decimal(body, "pnl", where)}
    for name in _OPTIONAL_AMOUNTS:
        if body.get(name):
            fields[name] = _decimal(body, name, where)
    if body.get("instrument"):
        fields["instrument"] = _text(body, "instrument", where=f"{where}.instrument")
    if body.get("currency"):
        fields["currency"] = _currency(body, where)
    if body.get("opened_at"):
        fields["opened_at"] = _time(body, "opened_at", where)
    return trade_pb2.Trade(**fields)


def _decimal(body: Body, name: str, where: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise CoreServiceInvalid(f'{where}.{name}: {value!r} is not a decimal string such as "-12.50".')
    return value


def _currency(body: Body, where: str) -> str:
    value = body.get("currency")
    try:
        minor_digits(value if isinstance(value, str) else repr(value))
    except UnknownCurrency as error:
        raise CoreServiceInvalid(f"{where}.currency: {error}.") from None
    return str(value)


def _time(body: Body, name: str, where: str) -> dict[str, int]:
    """The fields of a Timestamp. `Timestamp.FromJsonString` takes four times as long, most of what a trade took."""
    value = body.get(name)
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        whole, fraction, offset = found.groups()
        seconds = _seconds(whole + offset)
        if seconds is not None and _FIRST <= seconds <= _LAST:
            return {"seconds": seconds, "nanos": int(fraction.ljust(9, "0")) if fraction else 0}
    raise CoreServiceInvalid(f'{where}.{name}: {value!r} is not an RFC 3339 time such as "2026-01-31T21:00:00Z".')


def _seconds(text: str) -> int | None:
    """Since 1970; None of what is no time, e.g. of the 30th of February."""
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // _SECOND
    except ValueError:
        return None


def _message(body: Body, name: str, into: AnyMessage) -> AnyMessage | None:
    """The ProtoJSON of one message, None if it is absent or null."""
    value = body.get(name)
    if value is None:
        return None
    try:
        return json_format.ParseDict(dict(_object(value, name)), into)
    except json_format.ParseError as error:
        raise CoreServiceInvalid(f"{name}: {error}") from error


def _list(body: Body, name: str) -> list[object]:
    value = body.get(name)
    if not isinstance(value, list):
        raise CoreServiceInvalid(f"{name}: {type(value).__name__} instead of a list. An empty list says there is none.")
    return value


def _object(value: object, where: str) -> Body:
    if not isinstance(value, dict):
        raise CoreServiceInvalid(f"{where}: {type(value).__name__} instead of an object.")
    return value


def _text(body: Body, name: str, *, where: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise CoreServiceInvalid(f"{where}: {value!r} instead of a text.")
    return value
