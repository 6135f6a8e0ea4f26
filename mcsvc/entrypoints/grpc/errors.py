"""Problems as google.rpc.Status: ErrorInfo always, BadRequest for bad fields, RetryInfo where a retry may help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from mcsvc.entrypoints.api.problems import DOMAIN, Problem, classify
from mcsvc.entrypoints.grpc.around import Call


@contextmanager
def errors_as_statuses(call: Call) -> Iterator[None]:
    """Ends the call with the status of whatever the block raises."""
    try:
        yield
    except Exception as error:
        if call.ended_by_itself() or call.left_by_the_caller(error):
            raise
        call.context.abort_with_status(rpc_status.to_status(to_status(classify(error))))


def to_status(problem: Problem) -> status_pb2.Status:
    """The wire form of a problem."""
    details = [_packed(detail) for detail in _details(problem)]
    return status_pb2.Status(code=problem.code, message=problem.message, details=details)


def _details(problem: Problem) -> Iterator[Message]:
    yield error_details_pb2.ErrorInfo(reason=problem.reason, domain=DOMAIN)
    if problem.violations:
        yield error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(field=bad.field, description=bad.description)
                for bad in problem.violations
            ]
        )
    if problem.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromTimedelta(problem.retry_after)
        yield error_details_pb2.RetryInfo(retry_delay=delay)


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
