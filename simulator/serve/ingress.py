"""The ingress deployment: one gRPC call in; progress, checkpoints and the result out; all computing left to workers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final
from uuid import uuid4

import ray
from opentelemetry.trace import Span, Status, StatusCode
from ray.exceptions import ObjectLostError, OutOfMemoryError, RayActorError, WorkerCrashedError
from ray.serve.exceptions import DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from montecarlo.engine.v1 import engine_pb2
from simulator import codec, engine, result
from simulator.engine import Plan
from simulator.errors import InvalidInput
from simulator.serve import checkpoint, refusal, telemetry
from simulator.serve.chunks import ChunkDone, ChunkRefused, ChunkTask
from simulator.serve.dispatch import Dispatcher, Pace, RunChunk, WorkerLost, WorkersLost
from simulator.serve.ledger import Chunk, Ledger, Prefix
from simulator.serve.messages import Messages
from simulator.serve.settings import Settings
from simulator.serve.worker import Worker

_log: Final = logging.getLogger("ray.serve")

LOST: Final = (RayActorError, WorkerCrashedError, OutOfMemoryError, ObjectLostError, DeploymentUnavailableError)
"""How the loss of a worker, or of its node, shows."""

EMPTY: Final = engine_pb2.SimulateResponse()
"""Sent before a refusal: Ray Serve carries a call's status to the client only beside a message."""


Responses = AsyncGenerator[engine_pb2.SimulateResponse, None]


class Ingress:
    """Implements montecarlo.engine.v1.EngineService."""

    def __init__(self, workers: DeploymentHandle[Worker], settings: Settings) -> None:
        """`workers` is the handle of the worker deployment."""
        self._workers = workers
        self._settings = settings
        self._max_workers = settings.max_workers
        self._running = 0
        self._telemetry = telemetry.start("ingress")

    def reconfigure(self, user_config: dict[str, int]) -> None:
        """How many workers there may be: may change while simulations run."""
        self._max_workers = user_config["max_workers"]

    async def Simulate(  # noqa: N802 — the name of the RPC
        self, request: engine_pb2.SimulateRequest, grpc_context: refusal.Call
    ) -> Responses:
        """Ray Serve cancels this generator when the client ends its call or its deadline passes."""
        if self._running >= self._settings.max_simulations:
            refusal.too_busy(grpc_context, running=self._running, retry_delay_s=self._settings.retry_delay_s)
            yield EMPTY
            return
        self._running += 1
        self._telemetry.running.add(1)
        try:
            async with aclosing(self._answered(request, grpc_context)) as responses:
                async for response in responses:
                    yield response
        finally:
            self._running -= 1
            self._telemetry.running.add(-1)

    def __del__(self) -> None:
        """Ray Serve's call on a replica that is about to end."""
        if hasattr(self, "_telemetry"):
            self._telemetry.close()

    async def _answered(self, request: engine_pb2.SimulateRequest, call: refusal.Call) -> Responses:
        """The responses, with any error turned into a status in the one place."""
        simulation = uuid4().hex
        try:
            async with aclosing(self._traced(simulation, request, call)) as responses:
                async for response in responses:
                    yield response
        except InvalidInput as invalid:
            refusal.invalid_input(call, invalid)
            yield EMPTY
        except WorkersLost:
            _log.exception("simulation_lost_its_workers simulation=%s", simulation)
            refusal.no_workers(call)
            yield EMPTY
        except Exception:  # noqa: BLE001 — whatever it is, the client must get a status and no stack trace
            _log.exception("simulation_failed simulation=%s", simulation)
            refusal.internal(call, simulation)
            yield EMPTY

    async def _traced(self, simulation: str, request: engine_pb2.SimulateRequest, call: refusal.Call) -> Responses:
        parent = telemetry.parent_of(dict(call.invocation_metadata()))
        span = self._telemetry.tracer.start_span("engine.simulate", context=parent)
        try:
            async with aclosing(self._simulated(simulation, request, span)) as responses:
                async for response in responses:
                    yield response
        except BaseException as error:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            span.end()

    async def _simulated(self, simulation: str, request: engine_pb2.SimulateRequest, span: Span) -> Responses:
        started = time.monotonic()
        plan = await asyncio.to_thread(planned, request)
        span.set_attributes({"paths": plan.paths, "blocks": plan.blocks, "input_digest": plan.input_digest})
        ledger = opened(plan, checkpoint.decode(plan, request.resume_from))
        messages = Messages(plan, ledger, self._settings)
        yield messages.progress()
        dispatcher = Dispatcher(ledger, self._runner(simulation, plan, span), self._pace())
        async with aclosing(dispatcher.work()) as steps:
            async for _ in steps:
                for message in messages.due():
                    yield message
        built = await asyncio.to_thread(result.build, plan, ledger.total(), time.monotonic() - started)
        yield engine_pb2.SimulateResponse(result=built)

    def _pace(self) -> Pace:
        return Pace(
            in_flight=2 * self._max_workers,
            chunk_s=self._settings.chunk_s,
            attempts=self._settings.chunk_attempts,
            tick_s=self._settings.progress_s / 2,
        )

    def _runner(self, simulation: str, plan: Plan, span: Span) -> RunChunk:
        reference = ray.put(plan)
        trace = telemetry.carrier_of(span)

        async def run(chunk: Chunk, budget_s: float) -> ChunkDone:
            task = ChunkTask(
                simulation=simulation,
                plan=(reference,),
                first_block=chunk.first_block,
                blocks=chunk.blocks,
                budget_s=budget_s,
                trace=trace,
            )
            try:
                answer: ChunkDone | ChunkRefused = await self._workers.run_chunk.remote(task)
            except LOST as lost:
                raise WorkerLost from lost
            if isinstance(answer, ChunkRefused):
                raise InvalidInput(answer.violations)
            return answer

        return run


def planned(request: engine_pb2.SimulateRequest) -> Plan:
    """The plan of a request. Raises: InvalidInput."""
    return engine.plan(codec.decode(request.input), codec.digest(request.input))


def opened(plan: Plan, resumed: Prefix) -> Ledger:
    """The book of a simulation that starts, or goes on after `resumed`."""
    fan_blocks = min(plan.blocks, -(-engine.FAN_PATHS // plan.block_paths))
    return Ledger(blocks=plan.blocks, fan_blocks=fan_blocks, resumed=resumed)
