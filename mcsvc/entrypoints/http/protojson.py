"""What protobuf says of JSON that it cannot read, as the field and what to do about it."""

from __future__ import annotations

import re

from google.protobuf import json_format

_WITHIN = re.compile(r"Failed to parse (\w+) field: ")
_AT = re.compile(r' at "?[A-Z]\w*(?:\.(?P<path>[\w.\[\]]+))?"?\.*(?=\s|$)')
_SAID = (
    (re.compile(r"expected string or bytes-like object.*"), "give a text, in quotes"),
    (re.compile(r"invalid literal for int\(\) with base 10: (.*)"), r"\1 is not a whole number"),
    (re.compile(r"int\(\) argument must be .*|Bool value .*"), "give a whole number"),
    (re.compile(r"Couldn't parse integer: (.*)"), r"\1 is not a whole number"),
    (re.compile(r"Couldn't parse float: (.*)"), r"\1 is not a number"),
    (re.compile(r"Value out of range: (.*)"), r"\1 is out of range"),
    (re.compile(r"Failed to parse timestamp: .*|Timestamp JSON value .*"), "give a time such as 2026-01-31T16:00:00Z"),
    (re.compile(r"Invalid enum value (.*) for enum type (?:\w+\.)*(\w+)"), r"\1 is no \2 that this version knows"),
    (re.compile(r"Expected true or false without quotes"), "give true or false, without quotes"),
    (
        re.compile(r"Message type .* should not have multiple .*"),
        "gives more than one of the fields of which one is allowed",
    ),
    (re.compile(r"(?s)Message type .* has no field named \"(.*?)\".*"), r"has no field \1"),
    (re.compile(r"repeated field (\w+) must be .*"), r"\1 must be a list, in []"),
    (re.compile(r".*object is not iterable"), "give an object, in {}"),
    (re.compile(r"(?:Failed to load JSON: )+(.*)"), r"is not JSON: \1"),
)
BODY = "body"


def explained(error: json_format.ParseError) -> tuple[str, str]:
    """(the field, "body" for the whole; what is wrong with it)."""
    text, names = str(error), list[str]()
    while match := _WITHIN.match(text):
        names.append(match[1])
        text = text[match.end() :]
    at = _AT.search(text)
    path = at["path"].rstrip(".") if at and at["path"] else ".".join(names)
    said = _AT.sub("", text, count=1).strip().rstrip(".")
    for pattern, plain in _SAID:
        match = pattern.fullmatch(said)
        if match:
            return path or BODY, match.expand(plain)
    return path or BODY, f"cannot be read: {said}"
