"""Collects what is wrong with the fields of a request, so that a caller learns all of it at once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from uuid import UUID

from mcsvc.domain.errors import InvalidRequest, Violation
from mcsvc.domain.job import JobId

ID_LENGTH = 128
_KEPT = 10_000  # of what is wrong; the rest is counted
_DECIMAL = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,9})?", re.ASCII)


@dataclass(slots=True)
class Checker:
    """The violations found so far, and how many more there are."""

    violations: list[Violation] = field(default_factory=list)
    more: int = 0

    def reject(self, field_path: str, description: str) -> None:
        """Note a bad field."""
        if len(self.violations) < _KEPT:
            self.violations.append(Violation(field=field_path, description=description))
        else:
            self.more += 1

    def require(self, field_path: str, description: str, *, holds: bool) -> None:
        """Note a bad field unless the condition holds."""
        if not holds:
            self.reject(field_path, description)

    def text_id(self, field_path: str, value: str, *, required: bool) -> None:
        """An id chosen by a caller: printable, at most 128 characters."""
        least = 1 if required else 0
        fits = least <= len(value) <= ID_LENGTH and value.isprintable()
        self.require(field_path, f"give {least} to {ID_LENGTH} printable characters", holds=fits)

    def decimal(self, field_path: str, value: str, *, required: bool) -> None:
        """An amount as a decimal string."""
        fits = bool(_DECIMAL.fullmatch(value)) if value else not required
        what = 'give a decimal number such as -12.50, in JSON as a string: "-12.50"'
        self.require(field_path, what if value else f"is missing: {what}", holds=fits)

    def raise_if_bad(self) -> None:
        """Raises InvalidRequest if anything was noted."""
        if self.violations:
            raise InvalidRequest(self.violations, more=self.more)


def job_id(raw: str) -> JobId:
    """The id of a job. Raises InvalidRequest."""
    try:
        return JobId(UUID(raw))
    except ValueError:
        description = "give the id that was answered when the simulation was triggered, a UUID"
        raise InvalidRequest([Violation(field="id", description=description)]) from None
