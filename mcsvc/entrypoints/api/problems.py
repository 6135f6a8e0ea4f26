"""What an error means to a caller: the one place where exceptions become API errors.

gRPC renders a Problem as `google.rpc.Status` (`grpc/errors.py`), HTTP as problem+json (`http/problems.py`).
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from google.rpc import code_pb2

from mcsvc.domain import errors
from mcsvc.domain.errors import Violation
from mcsvc.observability.logs import get_logger

DOMAIN = "montecarlo"
_RETRY_AFTER = timedelta(seconds=2)
_log = get_logger(__name__)


class TooManyStreams(errors.Retryable):
    """This process serves as many streams as it may."""


class TooManyCalls(errors.Retryable):
    """This process has as many unary calls under way as it may."""


class ShuttingDown(errors.Retryable):
    """This process is about to end; another one takes the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error as callers see it: a google.rpc.Code, a stable reason, a message with the remedy."""

    code: int
    reason: str
    message: str
    violations: Sequence[Violation] = ()
    retry_after: timedelta | None = None


def classify(error: Exception) -> Problem:
    """The problem an exception is to the caller. One that nobody foresaw is logged and shown by a reference only."""
    match error:
        case errors.BadFields():
            return Problem(
                code=code_pb2.INVALID_ARGUMENT,
                reason="BAD_FIELDS",
                message=str(error),
                violations=tuple(error.named),  # more do not fit the headers of an answer
            )
        case TooManyStreams():
            return _retryable(error, code_pb2.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")
        case TooManyCalls():
            return _retryable(error, code_pb2.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS")
        case errors.Retryable():
            return _retryable(error, code_pb2.UNAVAILABLE, _reason(error))
        case errors.McsvcError() if type(error) in _CODES:
            return Problem(code=_CODES[type(error)], reason=_reason(error), message=str(error))
        case _:
            return _unforeseen(error)


_CODES: dict[type[errors.McsvcError], int] = {
    errors.JobNotFound: code_pb2.NOT_FOUND,
    errors.SubjectNotFound: code_pb2.NOT_FOUND,
    errors.RequestIdReused: code_pb2.ALREADY_EXISTS,
    errors.IllegalMove: code_pb2.FAILED_PRECONDITION,
}


def _retryable(error: errors.Retryable, code: int, reason: str) -> Problem:
    return Problem(code=code, reason=reason, message=str(error), retry_after=error.retry_after or _RETRY_AFTER)


def _unforeseen(error: Exception) -> Problem:
    reference = str(uuid4())
    _log.error("unforeseen_error", reference=reference, error=_stack(error))
    message = f"An internal error. Give the reference {reference} to the operators of the service."
    return Problem(code=code_pb2.INTERNAL, reason="INTERNAL", message=message)


def _stack(error: Exception) -> str:
    return "".join(traceback.format_exception(error))


def _reason(error: Exception) -> str:
    """StoreUnavailable → STORE_UNAVAILABLE."""
    name = type(error).__name__
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in name).lstrip("_").upper()
