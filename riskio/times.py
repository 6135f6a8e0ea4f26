"""Instants as people write them: ISO 8601 with an offset from UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

EXAMPLE: Final = "2026-01-31T17:00:00Z"
_DATE: Final = len("2026-01-31")


class NotAnInstant(ValueError):
    """The text is no instant; the message says why and what to write."""


def instant(text: str) -> datetime:
    """The instant, in UTC. Without an offset it could be any of a day's, so it is none.

    Raises: NotAnInstant.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise NotAnInstant(f"{text!r} is not a time: write it like {EXAMPLE}") from None
    if at.tzinfo is None:
        whole = f"{text}T00:00:00" if len(text) <= _DATE else text
        raise NotAnInstant(f"{text!r} has no offset from UTC: write it like {whole}Z")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise NotAnInstant(f"{text!r} is not in the years 1 to 9999 of UTC: write it like {EXAMPLE}") from None
