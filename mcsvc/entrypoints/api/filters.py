"""The filter of ListSimulations: a subset of https://google.aip.dev/160, comparisons joined by AND.

    filter     = comparison { "AND" comparison }
    comparison = field operator value            value = bare word | "quoted, with \\" and \\\\"

`state`, `trigger`, `assessment_id` and `funded_account_id` take `=`; `create_time` takes `<`, `<=`, `>` and `>=`.
States and triggers may be in lower case, as lists show them.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import NoReturn

from mcsvc.domain.errors import InvalidRequest, Violation
from mcsvc.domain.job import State, Trigger
from mcsvc.ports.job_store import JobFilter

_LENGTH = 2_000
_COMPARISON = re.compile(r'\s*(?P<field>\w+)\s*(?P<op><=|>=|!=|=|<|>|:)\s*(?P<value>"(?:[^"\\]|\\.)*"|[^\s"()<>=]+)\s*')
_AND = re.compile(r"AND(?=\s|$)")
_TIME_BOUNDS = {">=": "created_from", ">": "created_after", "<=": "created_until", "<": "created_before"}
_STATES = {state.name: state for state in State}
_TRIGGERS = {trigger.name: trigger for trigger in Trigger}


def parse_filter(text: str) -> JobFilter:
    """The filter a caller wrote; "" lets all pass. Raises InvalidRequest with the place and the remedy."""
    if len(text) > _LENGTH or not text.isprintable():
        _reject(f"is longer than {_LENGTH} characters or holds control characters: write it on one line")
    found: dict[str, object] = {}
    for name, operator, value in _comparisons(text.rstrip()):
        attribute, parsed = _read(name, operator, value)
        if attribute in found:
            _reject(f"compares {name} {operator} twice: a job has one {name}")
        found[attribute] = parsed
    return JobFilter(**found)  # type: ignore[arg-type]  # _read pairs each attribute with its type


def _comparisons(text: str) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    at = 0
    while at < len(text):
        match = _COMPARISON.match(text, at)
        if match is None:
            _reject(f"cannot be read from character {at + 1}: write comparisons such as state = FAILED, joined by AND")
        found.append((match["field"], match["op"], _unquote(match["value"])))
        at = match.end()
        if at < len(text):
            joint = _AND.match(text, at)
            if joint is None:
                _reject(
                    f"needs AND, in capitals, between comparisons, at character {at + 1}; OR, NOT and brackets are not"
                    " supported"
                )
            at = joint.end()
            if at == len(text):
                _reject("ends with AND: write a comparison after it, or leave it out")
    return found


def _read(name: str, operator: str, value: str) -> tuple[str, object]:
    if name == "create_time":
        return _time_bound(operator, value)
    if name not in {"state", "trigger", "assessment_id", "funded_account_id"}:
        _reject(f"has no field {name!r}: use state, trigger, assessment_id, funded_account_id or create_time")
    if operator != "=":
        _reject(f"compares {name} by {operator}: it takes only =")
    match name:
        case "state":
            return name, _member(_STATES, name, value)
        case "trigger":
            return name, _member(_TRIGGERS, name, value)
        case _:
            return name, value


def _member(members: dict[str, State] | dict[str, Trigger], name: str, value: str) -> State | Trigger:
    member = members.get(value.upper().removeprefix(f"SIMULATION_{name.upper()}_"))
    if member is None:
        _reject(f"knows no {name} {value!r}: use one of {', '.join(members)}")
    return member


def _time_bound(operator: str, value: str) -> tuple[str, datetime]:
    if operator not in _TIME_BOUNDS:
        _reject(f"compares create_time by {operator}: it takes <, <=, > and >=")
    time = _parse_time(value)
    if time is None:
        _reject(f'has the create_time {value!r}: write RFC 3339 with a zone, e.g. "2026-01-01T00:00:00Z"')
    return _TIME_BOUNDS[operator], time


def _parse_time(value: str) -> datetime | None:
    with suppress(ValueError, OverflowError):
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC) if time.tzinfo is not None else None
    return None


def _unquote(value: str) -> str:
    if value.startswith("'"):
        _reject(f'has {value} in single quotes: write "…"')
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _reject(description: str) -> NoReturn:
    raise InvalidRequest([Violation(field="filter", description=description)])
