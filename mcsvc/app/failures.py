"""What an error of an attempt means for its job: a stable code, words with a remedy, and whether to try again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from mcsvc.domain.errors import (
    CoreServiceInvalid,
    CoreServiceUnavailable,
    EngineRejected,
    EngineUnavailable,
    Retryable,
    StoreUnavailable,
    SubjectNotFound,
)
from mcsvc.domain.job import Failure

_FINAL: dict[type[Exception], str] = {
    SubjectNotFound: "SUBJECT_NOT_FOUND",
    CoreServiceInvalid: "CORE_SERVICE_INVALID",
    EngineRejected: "INPUT_INVALID",
}
_PASSING: dict[type[Exception], str] = {
    CoreServiceUnavailable: "CORE_SERVICE_UNAVAILABLE",
    EngineUnavailable: "ENGINE_UNAVAILABLE",
    StoreUnavailable: "STORE_UNAVAILABLE",
}


class OutOfTime(Retryable):
    """The attempt took longer than its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`retry_after` is the least wait the other side asked for, if it did. `foreseen` is False for a bug of ours.

    `away`: what the attempt needs was not there, so that the attempt says nothing against the job.
    """

    failure: Failure
    worth_retrying: bool
    away: bool = False
    retry_after: timedelta | None = None
    foreseen: bool = True


def verdict_of(error: Exception) -> Verdict:
    """What to do about an error. The text of an unforeseen one is left out: it may hold anything."""
    final = _FINAL.get(type(error))
    if final is not None:
        return Verdict(failure=Failure(code=final, message=str(error)), worth_retrying=False)
    if isinstance(error, Retryable):
        failure = Failure(code=_code_of(error), message=str(error))
        return Verdict(failure=failure, worth_retrying=True, away=error.away, retry_after=error.retry_after)
    message = f"Unexpected {type(error).__name__}. The log entry job_attempt_broke with this job's id says where."
    return Verdict(failure=Failure(code="INTERNAL", message=message), worth_retrying=True, foreseen=False)


def without_words(verdict: Verdict) -> Verdict:
    """The same, for words that cannot be stored."""
    message = (
        "What was said about it cannot be stored. The log entry job_failure_not_stored with this job's id says why."
    )
    return replace(verdict, failure=replace(verdict.failure, message=message))


def lease_expired(attempt: int) -> Failure:
    """The worker of an attempt was not heard of for longer than its lease."""
    message = (
        f"The worker that ran attempt {attempt} stopped answering: its process or machine ended or stalled. "
        "If it happens again with the same input, look for memory kills in the worker's events."
    )
    return Failure(code="LEASE_EXPIRED", message=message)


def no_thread() -> Failure:
    """The worker that took an attempt could not begin it."""
    message = "The worker had no thread left for the attempt: look at the limits of its process. Another may take it."
    return Failure(code="WORKER_EXHAUSTED", message=message)


def _code_of(error: Retryable) -> str:
    if isinstance(error, OutOfTime):
        return "TIMED_OUT"
    return next((code for kind, code in _PASSING.items() if isinstance(error, kind)), "UNAVAILABLE")
