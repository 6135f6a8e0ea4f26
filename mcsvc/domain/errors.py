"""What can go wrong, in the service's own terms. Each message says the remedy; entrypoints turn them into statuses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from riskio.numbers import counted

_INDEX = re.compile(r"\[\d+\]")
_NAMED = 3  # of the fields of which the same is said
_SAID = 20  # of the things that are said of any


class McsvcError(Exception):
    """Base of every error the service raises on purpose."""


class IllegalMove(McsvcError):
    """A job was asked to make a move its state does not allow."""


class JobNotFound(McsvcError):
    """No job has this id."""


class RequestIdReused(McsvcError):
    """The request id was used before, with another body."""


class LeaseLost(McsvcError):
    """The writer no longer holds the job: it was cancelled, or its lease expired and another attempt began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One bad field: its path in the request, and what is wrong with it and how to mend it."""

    field: str
    description: str


class BadFields(McsvcError):
    """Some fields are bad. The text tells it field by field, like elements of one list together."""

    def __init__(self, violations: list[Violation], *, more: int = 0) -> None:
        """`more`: fields that are bad, too, and are not known by name."""
        super().__init__(_in_words(violations, more))
        self.violations = violations
        self.more = more

    @property
    def named(self) -> list[Violation]:
        """Those that the text names."""
        groups = [group[:_NAMED] for group in _groups(self.violations)[:_SAID]]
        return [each for group in groups for each in group][:_SAID]


class InvalidRequest(BadFields):
    """A request has bad fields."""


class SubjectNotFound(McsvcError):
    """The Core Service does not know the assessment or account. Not worth another attempt."""


class CoreServiceInvalid(McsvcError):
    """The Core Service answered with data that breaks its contract. Not worth another attempt."""


class Retryable(McsvcError):
    """Another attempt, later, may succeed. `retry_after` is the least wait the other side asked for, if it did.

    `away`: the other side was not there or took nothing on, so that nothing asked of it can be the cause.
    """

    def __init__(self, message: str, *, retry_after: timedelta | None = None, away: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.away = away


class CoreServiceUnavailable(Retryable):
    """The Core Service could not be reached, or is overloaded."""


class EngineUnavailable(Retryable):
    """The simulator could not be reached, is overloaded, or broke off."""


class EngineRejected(BadFields):
    """The simulator found the input invalid. Not worth another attempt."""


class EventBusUnavailable(Retryable):
    """No Kafka broker could be reached."""


class MessageTooLarge(McsvcError):
    """Kafka takes no message of this size. Not worth another attempt."""


class RunStopped(McsvcError):
    """The run was stopped from this side, before its end."""


class StoreUnavailable(Retryable):
    """The database could not be reached."""


class JobUnreadable(Retryable):
    """The job is of another version of the service and holds what this one does not know; one of its replicas does."""


def _in_words(violations: list[Violation], more: int) -> str:
    groups = _groups(violations)
    said = [f"{_some(group)}: {group[0].description}" for group in groups[:_SAID]]
    unsaid = sum(map(len, groups[_SAID:])) + more
    others = f"others: {counted(unsaid, 'more field is bad', 'more fields are bad')}"
    return "; ".join([*said, *([others] if unsaid else [])])


def _groups(violations: list[Violation]) -> list[list[Violation]]:
    """Those of which the same is said, like elements of one list, together."""
    groups: dict[tuple[str, str], list[Violation]] = {}
    for each in violations:
        groups.setdefault((_INDEX.sub("[]", each.field), each.description), []).append(each)
    return list(groups.values())


def _some(group: list[Violation]) -> str:
    more = f" and {len(group) - _NAMED} more" if len(group) > _NAMED else ""
    return ", ".join(each.field for each in group[:_NAMED]) + more
