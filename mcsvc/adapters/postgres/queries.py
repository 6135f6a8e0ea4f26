"""The statements of `queries.sql`, by name."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_SHARED = {
    "{pending_by}": "pending_by",
    "{longest}": "claim_longest",
    "{start}": "claim_start",
    "{job}": "job_columns",
    "{readable}": "job_readable",
}  # what stands for which part; the parts of parts come last


@cache
def statements() -> dict[str, str]:
    """Every statement, comments left out, the parts that several share filled in."""
    text = files(__package__).joinpath("queries.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)[1:]
    bodies = {name: _without_comments(body) for name, body in zip(parts[::2], parts[1::2], strict=True)}
    return {name: _filled_in(body, bodies) for name, body in bodies.items()}


def query(name: str) -> bytes:
    """One statement, as psycopg takes it: our own text, never a caller's."""
    return statements()[name].encode()


def find_query(conditions: list[str]) -> bytes:
    """The list statement under these conditions, each a fragment of ours with named parameters."""
    where = " AND ".join(conditions) or "true"
    return statements()["find_jobs"].replace("{where}", where).encode()


def _filled_in(body: str, bodies: dict[str, str]) -> str:
    for placeholder, part in _SHARED.items():
        body = body.replace(placeholder, bodies[part])
    return body


def _without_comments(body: str) -> str:
    return "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip()
