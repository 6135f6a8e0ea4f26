"""Interceptors as context managers: what is to stand around a call is written once, for unary and streamed calls alike.

A streamed call stays inside from its first to after its last response; its thread is its own for that long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, final

import grpc

from mcsvc.entrypoints.grpc.requests import Requests

_HEALTH = "/grpc.health.v1.Health/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call on its way in. `method` is its full name, "/package.Service/Method"."""

    method: str
    metadata: dict[str, str | bytes]
    streamed: bool
    context: grpc.ServicerContext

    def code(self) -> grpc.StatusCode:
        """The status so far: OK unless something else was set."""
        raw: object = self.context.code()  # type: ignore[attr-defined]  # missing in the stubs
        return raw if isinstance(raw, grpc.StatusCode) else grpc.StatusCode.OK

    def ended_by_itself(self) -> bool:
        """True if the servicer has set a status of its own already."""
        return self.code() is not grpc.StatusCode.OK

    def left_by_the_caller(self, error: Exception) -> bool:
        """True if this is how grpc tells a servicer that reads requests of a call that was cancelled."""
        return isinstance(error, grpc.RpcError) and not self.context.is_active()


Around = Callable[[Call], AbstractContextManager[None]]
_Behaviour = Callable[[Any, grpc.ServicerContext], Any]
_MAKERS = {
    (False, False): (grpc.unary_unary_rpc_method_handler, "unary_unary"),
    (False, True): (grpc.unary_stream_rpc_method_handler, "unary_stream"),
    (True, False): (grpc.stream_unary_rpc_method_handler, "stream_unary"),
    (True, True): (grpc.stream_stream_rpc_method_handler, "stream_stream"),
}


@final
class AroundInterceptor(grpc.ServerInterceptor):
    """Puts context managers around every call but the health checks, which must stay cheap and never blocked.

    Within them `requests` parses those of unary calls.
    """

    def __init__(self, arounds: Sequence[Around], requests: Requests) -> None:
        self._arounds = tuple(arounds)
        self._requests = requests

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """The handler of this call, wrapped."""
        handler = continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith(_HEALTH):
            return handler
        make, name = _MAKERS[handler.request_streaming, handler.response_streaming]
        inner, deserializer = getattr(handler, name), handler.request_deserializer
        if not (handler.request_streaming or handler.response_streaming):
            inner, deserializer = self._parsing(inner, handler_call_details.method), None
        wrap = self._streamed if handler.response_streaming else self._single
        return make(wrap(inner, handler_call_details), deserializer, handler.response_serializer)

    def _parsing(self, inner: _Behaviour, method: str) -> _Behaviour:
        def behaviour(data: bytes, context: grpc.ServicerContext) -> Any:
            with self._requests.parsed(method, data) as request:
                return inner(request, context)

        return behaviour

    def _single(self, inner: _Behaviour, details: Any) -> _Behaviour:
        def behaviour(request: Any, context: grpc.ServicerContext) -> Any:
            with self._enter(details, context, streamed=False):
                return inner(request, context)

        return behaviour

    def _streamed(self, inner: _Behaviour, details: Any) -> _Behaviour:
        def behaviour(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            with self._enter(details, context, streamed=True):
                yield from inner(request, context)

        return behaviour

    def _enter(self, details: Any, context: grpc.ServicerContext, *, streamed: bool) -> ExitStack:
        metadata = dict(details.invocation_metadata or ())
        call = Call(method=details.method, metadata=metadata, streamed=streamed, context=context)
        with ExitStack() as stack:
            for around in self._arounds:
                stack.enter_context(around(call))
            return stack.pop_all()
