"""What can go wrong, in the service's own terms. Each message says the remedy; entrypoints turn them into statuses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


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


class InvalidRequest(McsvcError):
    """A request has bad fields."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations))
        self.violations = violations


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


class EngineRejected(McsvcError):
    """The simulator found the input invalid. Not worth another attempt."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations))
        self.violations = violations


class EventBusUnavailable(Retryable):
    """No Kafka broker could be reached."""


class RunStopped(McsvcError):
    """The run was stopped from this side, before its end."""


class StoreUnavailable(Retryable):
    """The database could not be reached."""
