"""What Serve's gRPC proxy registers: the engine's service, with calls that end for the workers too, however they end.

Serve's own handler notices the end of a call only while it waits for the replica. A call that ends while a message is
being written runs on, unheard, for as long as the simulation takes. So here Serve's handler runs in a task of its own,
where it always waits for the replica, and the end of the call, however it comes, cancels that task. As the task may
then outlive the call, it works on a copy of the call's context: asked after the end, gRPC's own crashes the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

from montecarlo.engine.v1 import engine_pb2_grpc

Handler = Callable[[Any, Any], AsyncGenerator[bytes, None]]

_ASKED: Final = ("auth_context", "invocation_metadata", "peer", "peer_identities", "peer_identity_key")
_SET: Final = ("code", "details", "trailing_metadata")


def add_engine_service(servicer: Any, server: Any) -> None:
    """For `grpc_servicer_functions` of a Serve config; `server` is Serve's, which replaces all handlers by its own."""
    serves_own = server.service_handler_factory

    def factory(*, service_method: str, streaming_type: Any) -> Any:
        handler = serves_own(service_method=service_method, streaming_type=streaming_type)
        return ending_with_the_call(handler) if streaming_type.name == "UNARY_STREAM" else handler

    server.service_handler_factory = factory
    try:
        engine_pb2_grpc.add_EngineServiceServicer_to_server(servicer, server)
    finally:
        server.service_handler_factory = serves_own


def ending_with_the_call(handler: Handler) -> Handler:
    """The handler, cancelled while it waits for its next message as soon as its call has ended."""

    async def handle(request: Any, context: Any) -> AsyncGenerator[bytes, None]:
        messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        copy = ContextCopy(context)

        async def pump() -> None:
            try:
                async for message in handler(request, copy):
                    messages.put_nowait(message)
            finally:
                messages.put_nowait(None)

        pumping = asyncio.ensure_future(pump())
        context.add_done_callback(lambda _: pumping.cancel())
        while (message := await messages.get()) is not None:
            yield message
        await pumping
        copy.answer(context)

    return handle


class ContextCopy:
    """What a handler asks of a call's context, and keeps what it sets."""

    def __init__(self, context: Any) -> None:
        """While the call lasts."""
        self._values: dict[str, Any] = {name: getattr(context, name)() for name in (*_ASKED, *_SET)}
        self._set: set[str] = set()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The methods of a context: `code()`, `set_code(…)` and so on."""
        if name in self._values:
            return lambda: self._values[name]
        value = name.removeprefix("set_")
        if value in _SET:
            return lambda new: self._keep(value, new)
        raise AttributeError(name)

    def answer(self, context: Any) -> None:
        """Sets on the context what was set here."""
        for name in self._set:
            getattr(context, f"set_{name}")(self._values[name])

    def _keep(self, name: str, value: Any) -> None:
        self._values[name] = value
        self._set.add(name)
