"""The statements of `queries.sql`, by name."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def statements() -> dict[str, str]:
    """Every statement, comments left out, the columns of a job and the test of its readability filled in."""
    text = files(__package__).joinpath("queries.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)[1:]
    bodies = {name: _without_comments(body) for name, body in zip(parts[::2], parts[1::2], strict=True)}
    columns, readable = bodies["job_columns"], bodies["job_readable"]
    return {name: body.replace("{job}", columns).replace("{readable}", readable) for name, body in bodies.items()}


def query(name: str) -> bytes:
    """One statement, as psycopg takes it: our own text, never a caller's."""
    return statements()[name].encode()


def find_query(conditions: list[str]) -> bytes:
    """The list statement under these conditions, each a fragment of ours with named parameters."""
    where = " AND ".join(conditions) or "true"
    return statements()["find_jobs"].replace("{where}", where).encode()


def _without_comments(body: str) -> str:
    return "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip()
