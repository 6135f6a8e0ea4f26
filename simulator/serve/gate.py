"""What every call goes through: admission, a span, and any error turned into a status in the one place."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final, TypeVar
from uuid import uuid4

from google.protobuf.message import Message
from opentelemetry.trace import Span, Status, StatusCode

from simulator.errors import InvalidInput
from simulator.serve import refusal, telemetry
from simulator.serve.dispatch import WorkersLost
from simulator.serve.settings import Settings

_log: Final = logging.getLogger("ray.serve")

Response = TypeVar("Response", bound=Message)

Answers = Callable[[str, Span], AsyncGenerator[Response, None]]
"""The responses to a call, which has this name in logs and among the workers, and this span."""


class Gate:
    """Lets so many calls in at a time as the settings say."""

    def __init__(self, settings: Settings, instruments: telemetry.Telemetry) -> None:
        """Nobody is in."""
        self._settings = settings
        self._telemetry = instruments
        self._running = 0

    async def through(
        self, span_name: str, call: refusal.Call, answers: Answers[Response], empty: Response
    ) -> AsyncGenerator[Response, None]:
        """The responses, or a refusal. `empty` is sent before one: Ray Serve carries a call's status to the client only
        beside a message.
        """
        if self._running >= self._settings.max_simulations:
            refusal.too_busy(call, running=self._running, retry_delay_s=self._settings.retry_delay_s)
            yield empty
            return
        self._running += 1
        self._telemetry.running.add(1)
        try:
            async with aclosing(self._with_status(span_name, call, answers, empty)) as responses:
                async for response in responses:
                    yield response
        finally:
            self._running -= 1
            self._telemetry.running.add(-1)

    async def _with_status(
        self, span_name: str, call: refusal.Call, answers: Answers[Response], empty: Response
    ) -> AsyncGenerator[Response, None]:
        name = uuid4().hex
        try:
            async with aclosing(self._traced(span_name, call, answers, name)) as responses:
                async for response in responses:
                    yield response
        except InvalidInput as invalid:
            refusal.invalid_input(call, invalid)
            yield empty
        except WorkersLost:
            _log.exception("simulation_lost_its_workers simulation=%s", name)
            refusal.no_workers(call)
            yield empty
        except Exception:  # noqa: BLE001 — whatever it is, the client must get a status and no stack trace
            _log.exception("simulation_failed simulation=%s", name)
            refusal.internal(call, name)
            yield empty

    async def _traced(
        self, span_name: str, call: refusal.Call, answers: Answers[Response], name: str
    ) -> AsyncGenerator[Response, None]:
        parent = telemetry.parent_of(dict(call.invocation_metadata()))
        span = self._telemetry.tracer.start_span(span_name, context=parent)
        try:
            async with aclosing(answers(name, span)) as responses:
                async for response in responses:
                    yield response
        except BaseException as error:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            span.end()
