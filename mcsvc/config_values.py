"""How single values of the configuration are read. Each reader takes the raw text and raises Malformed with a remedy.

No message repeats a value that may hold a secret.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NewType
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
from psycopg.conninfo import conninfo_to_dict

from mcsvc.cron import cron_trigger

Address = NewType("Address", str)

_HOST_PORT = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})")
_HOST = re.compile(r"[A-Za-z0-9._:%-]*")
_PORTS = re.compile(r"[0-9,]*")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")

_DATABASE_URL = "postgresql://user:password@host:5432/name"
_ENCODE = "percent-encode what is not a letter or a digit of the password, e.g. %40 for '@', %2F for '/', %25 for '%'"


class Malformed(ValueError):
    """A value cannot be read. The message follows the variable's name."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that is never printed; `reveal()` where it is used."""

    _value: str

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret('***')" if self._value else "Secret('')"

    __str__ = __repr__


NO_SECRET = Secret("")


def text(raw: str) -> str:
    """Any text on one line."""
    if not raw.isprintable():
        raise Malformed("holds control characters: give one line of text.")
    return raw


def whole_number(raw: str, *, low: int, high: int) -> int:
    """A whole number between the ends, both included."""
    if not raw.isascii() or not raw.isdigit() or not low <= int(raw) <= high:
        raise Malformed(f"is {raw!r}: give a whole number from {low} to {high}.")
    return int(raw)


def seconds(raw: str) -> timedelta:
    """A time span in seconds, above 0 and at most a week."""
    try:
        value = float(raw)
    except ValueError:
        value = -1.0
    if not 0 < value <= 7 * 86_400:
        raise Malformed(f"is {raw!r}: give seconds, more than 0 and at most 604800, e.g. 2.5.")
    return timedelta(seconds=value)


def days(raw: str) -> timedelta:
    """A time span in whole days, 0 to 36,500."""
    return timedelta(days=whole_number(raw, low=0, high=36_500))


def heartbeat(raw: str) -> timedelta:
    """Seconds, at most 30: the API promises a heartbeat at least that often."""
    value = seconds(raw)
    if value > timedelta(seconds=30):
        raise Malformed(f"is {raw!r}: the API promises a heartbeat every 30 s, so give at most 30.")
    return value


def session(raw: str) -> timedelta:
    """Seconds from 6 to 300: what Kafka's brokers take by default, and what its client does."""
    value = seconds(raw)
    if not timedelta(seconds=6) <= value <= timedelta(seconds=300):
        raise Malformed(
            f"is {raw!r}: Kafka's brokers take no less than 6 s and its client no more than 300: give 6 to 300."
        )
    return value


def lease(raw: str) -> timedelta:
    """Seconds, at least 2: it is renewed ten times in its span, or every second, over the network."""
    value = seconds(raw)
    if value < timedelta(seconds=2):
        raise Malformed(f"is {raw!r}: a worker that is alive could not renew it in time: give at least 2.")
    return value


def truth(raw: str) -> bool:
    """true or false."""
    return one_of(raw, ("true", "false")) == "true"


def one_of(raw: str, choices: Sequence[str]) -> str:
    """One of these words, as it stands there; capital letters do not matter."""
    found = [each for each in choices if each.lower() == raw.lower()]
    if not found:
        raise Malformed(f"is {raw!r}: give {', '.join(filter(None, choices[:-1]))} or {choices[-1]}.")
    return found[0]


def topic(raw: str) -> str:
    """A Kafka topic name."""
    if not _TOPIC.fullmatch(raw):
        raise Malformed(f"is {raw!r}: a topic has 1 to 249 letters, digits, '.', '_' and '-'.")
    return raw


def database_url(raw: str) -> Secret:
    """A connection URI of libpq. What `@`, `/` and `%` do in a password that is not encoded is refused, not shown."""
    if not raw.startswith(("postgresql://", "postgres://")):
        raise Malformed(f"is not a connection URI: give {_DATABASE_URL}.")
    try:
        parts = conninfo_to_dict(raw)
    except (psycopg.Error, ValueError):  # its text repeats a part of the address
        raise Malformed(f"cannot be read: give {_DATABASE_URL}; {_ENCODE}.") from None
    places = f"{parts.get('host', '')}{parts.get('hostaddr', '')}{parts.get('dbname', '')}"
    if "@" in places or not _PORTS.fullmatch(str(parts.get("port", ""))):
        raise Malformed(f"has an '@' or a '/' too many: give {_DATABASE_URL}; {_ENCODE}.")
    return Secret(raw)


def http_url(raw: str) -> str:
    """An http or https URL, without a slash at its end. It appears in messages: so nothing secret may be in it."""
    if set(raw) & set("@?#"):
        raise Malformed("holds '@', '?' or '#': give the address alone; a bearer token has a variable of its own.")
    try:
        parts = urlsplit(raw)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its text repeats a part of the address
        good = False
    if not good or not raw.isprintable():
        raise Malformed("is not an HTTP address: give http://host:port or https://host.")
    return raw.rstrip("/")


def host(raw: str) -> str:
    """The name or the IP address of a host, which appears in messages. Empty if there is none."""
    if not _HOST.fullmatch(raw):
        raise Malformed("is not a host: give a name or an IP address alone, without scheme, user, password or port.")
    return raw


def token(raw: str) -> Secret:
    """A bearer token, as a header can hold it."""
    if not raw.isascii() or not raw.isprintable() or " " in raw:
        raise Malformed("is not a bearer token: give printable ASCII characters without spaces.")
    return Secret(raw)


def password(raw: str) -> Secret:
    """A password on one line."""
    if not raw.isprintable():
        raise Malformed("holds characters that cannot be printed: give one line of text in UTF-8.")
    return Secret(raw)


def readable_file(raw: str) -> str:
    """The path of a file that this process may read. Empty if there is none."""
    try:
        if raw:
            Path(raw).read_bytes()
    except OSError as error:
        raise Malformed(f"is {raw!r}, which cannot be read ({error.strerror}): give the path of a PEM file.") from None
    return raw


def authorities_file(raw: str) -> str:
    """The path of a file with certificates of authorities. Empty if there is none."""
    if readable_file(raw):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(raw)
        except OSError:
            raise Malformed(f"is {raw!r}, which holds no certificate: give a PEM file that does.") from None
    return raw


def brokers(raw: str) -> str:
    """Kafka's bootstrap servers."""
    listed = [part.strip() for part in raw.split(",")]
    for part in listed:
        _host_port(part)
    return ",".join(listed)


def grpc_address(raw: str) -> Address:
    """host:port, with or without grpc:// in front."""
    return Address(_host_port(raw.removeprefix("grpc://").rstrip("/")))


def time_zone(raw: str) -> ZoneInfo:
    """An IANA time zone."""
    try:
        return ZoneInfo(raw)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Malformed(f"is {raw!r}: give an IANA time zone, e.g. Europe/Prague.") from None


def cron(raw: str) -> str:
    """The five fields of a crontab line."""
    try:
        cron_trigger(raw, ZoneInfo("UTC"))
    except (ValueError, TypeError) as error:
        raise Malformed(f"is {raw!r}: give the five fields of a crontab line, e.g. '0 2 * * *' ({error}).") from None
    return raw


def _host_port(raw: str) -> str:
    if "@" in raw:
        raise Malformed("holds '@': give host:port alone, e.g. localhost:9000, without user or password.")
    match = _HOST_PORT.fullmatch(raw)
    if match is None or not 0 < int(match.group(1)) <= 65_535:
        raise Malformed(f"is {raw!r}: give host:port, e.g. localhost:9000.")
    return raw
