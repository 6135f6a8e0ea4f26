"""The ingress deployment: one gRPC call in; progress, checkpoints and results out; all computing left to workers."""

from __future__ import annotations

import asyncio
import math
import pickle
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import ray
from opentelemetry.trace import Span
from ray.exceptions import ObjectLostError, OutOfMemoryError, RayActorError, WorkerCrashedError
from ray.serve.exceptions import DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from montecarlo.engine.v1 import engine_pb2
from simulator import codec, engine, many, result
from simulator.codec_settings import DEFAULT_PATHS
from simulator.engine import Plan
from simulator.errors import FieldViolation, InvalidInput
from simulator.helper_process import HelperLost
from simulator.ledger import Chunk, Ledger, Outline
from simulator.sections import Section
from simulator.serve import checkpoint, refusal, telemetry
from simulator.serve.batches import Batch, BatchDispatcher, RunBatch, batches
from simulator.serve.chunks import SMALL_PLAN, BatchDone, BatchTask, ChunkDone, ChunkRefused, ChunkTask
from simulator.serve.dispatch import Dispatcher, Pace, RunChunk, WorkerLost
from simulator.serve.gate import Gate
from simulator.serve.messages import Messages
from simulator.serve.settings import A_THREAD, Settings
from simulator.serve.small import is_small
from simulator.serve.worker import Worker

LOST: Final = (
    RayActorError, WorkerCrashedError, OutOfMemoryError, ObjectLostError, DeploymentUnavailableError, HelperLost
)  # fmt: skip
"""How the loss of a worker, of its node, or of one of its processes, shows."""

MOST_ACCOUNTS: Final = 10_000

Answer = TypeVar("Answer")
Responses = AsyncGenerator[engine_pb2.SimulateResponse, None]
ManyResponses = AsyncGenerator[engine_pb2.SimulateManyResponse, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Of all calls, with all workers. What is sent to workers that have enough is refused by them and sent again, which
    takes both longer than many a batch.

    large: of chunks and batches, which have a worker's thread; small: of small simulations.
    """

    large: asyncio.Semaphore
    small: asyncio.Semaphore

    @staticmethod
    def of(settings: Settings, workers: int) -> Turns:
        """With so many workers."""
        return Turns(large=asyncio.Semaphore(A_THREAD * workers), small=asyncio.Semaphore(settings.places * workers))


class Ingress:
    """Implements montecarlo.engine.v1.EngineService."""

    def __init__(self, workers: DeploymentHandle[Worker], settings: Settings) -> None:
        """`workers` is the handle of the worker deployment."""
        self._workers = workers
        self._settings = settings
        self._max_workers = settings.max_workers
        self._turns = Turns.of(settings, self._max_workers)
        self._telemetry = telemetry.start("ingress")
        self._gate = Gate(settings, self._telemetry)

    def reconfigure(self, user_config: dict[str, int]) -> None:
        """How many workers there may be: may change while simulations run. Who waits for a turn has it as before."""
        if user_config["max_workers"] != self._max_workers:
            self._max_workers = user_config["max_workers"]
            self._turns = Turns.of(self._settings, self._max_workers)

    async def Simulate(  # noqa: N802 — the name of the RPC
        self, request: engine_pb2.SimulateRequest, grpc_context: refusal.Call
    ) -> Responses:
        """Ray Serve cancels this generator when the client ends its call or its deadline passes."""
        answers = partial(self._simulated, request)
        empty = engine_pb2.SimulateResponse()
        async with aclosing(self._gate.through("engine.simulate", grpc_context, answers, empty)) as responses:
            async for response in responses:
                yield response

    async def SimulateMany(  # noqa: N802 — the name of the RPC
        self, request: engine_pb2.SimulateManyRequest, grpc_context: refusal.Call
    ) -> ManyResponses:
        """As of Simulate."""
        answers = partial(self._simulated_many, request)
        empty = engine_pb2.SimulateManyResponse()
        async with aclosing(self._gate.through("engine.simulate_many", grpc_context, answers, empty)) as responses:
            async for response in responses:
                yield response

    def __del__(self) -> None:
        """Ray Serve's call on a replica that is about to end."""
        if hasattr(self, "_telemetry"):
            self._telemetry.close()

    async def _simulated(self, request: engine_pb2.SimulateRequest, simulation: str, span: Span) -> Responses:
        if is_small(request):
            async with aclosing(self._simulated_whole(request, span)) as responses:
                async for response in responses:
                    yield response
            return
        started = time.monotonic()
        plan = await asyncio.to_thread(planned, request)
        span.set_attributes({"paths": plan.paths, "blocks": plan.blocks, "input_digest": plan.input_digest})
        kept = checkpoint.decode(plan, request.resume_from)
        ledger = Ledger(Outline.of(plan), kept.prefix)
        budget = Budget(plan, started=started - kept.spent_s)
        messages = Messages(plan, ledger, self._settings, spent_s=kept.spent_s)
        yield messages.progress()
        dispatcher = Dispatcher(ledger, self._chunk_runner(simulation, plan, budget, span), self._pace)
        budget.apply(ledger)
        async with aclosing(dispatcher.work()) as steps:
            async for _ in steps:
                budget.apply(ledger)
                for message in messages.due():
                    yield message
        built = await asyncio.to_thread(result.build, plan, ledger.total(), time.monotonic() - started)
        yield engine_pb2.SimulateResponse(result=built)

    async def _simulated_whole(self, request: engine_pb2.SimulateRequest, span: Span) -> Responses:
        """By one worker, from the input to the result; nothing but progress is heard of it meanwhile."""
        run = self._batch_runner([request.input], span, small=True)
        dispatcher = BatchDispatcher(deque([Batch(first=0, count=1)]), run, self._pace)
        waiting = engine_pb2.SimulateProgress(paths_total=request.input.settings.paths or DEFAULT_PATHS)
        async with aclosing(dispatcher.work()) as steps:
            async for done in steps:
                if done is None:
                    yield engine_pb2.SimulateResponse(progress=waiting)
                    continue
                [response] = done.responses
                [answer] = engine_pb2.SimulateManyResponse.FromString(response).answers
                if answer.HasField("error"):
                    raise many.invalid(answer.error)
                found = answer.result
                span.set_attributes({"paths": found.paths, "input_digest": found.input_digest})
                yield engine_pb2.SimulateResponse(result=found)

    async def _simulated_many(self, request: engine_pb2.SimulateManyRequest, _: str, span: Span) -> ManyResponses:
        count = len(request.inputs)
        if not 1 <= count <= MOST_ACCOUNTS:
            why = f"are {count}: give 1 to {MOST_ACCOUNTS} accounts a call"
            raise InvalidInput([FieldViolation(field="inputs", description=why)])
        span.set_attribute("accounts", count)
        paths = [each.settings.paths or DEFAULT_PATHS for each in request.inputs]
        todo = batches(paths, self._max_workers, self._settings.helpers)
        dispatcher = BatchDispatcher(todo, self._batch_runner(request.inputs, span), self._pace)
        async with aclosing(dispatcher.work()) as steps:
            async for done in steps:
                for response in done.responses if done else ():
                    yield engine_pb2.SimulateManyResponse.FromString(response)

    def _pace(self) -> Pace:
        return Pace(
            in_flight=A_THREAD * self._max_workers,
            chunk_s=self._settings.chunk_s,
            attempts=self._settings.chunk_attempts,
            tick_s=self._settings.progress_s / 2,
        )

    def _chunk_runner(self, simulation: str, plan: Plan, budget: Budget, span: Span) -> RunChunk:
        pickled = pickle.dumps(plan)
        shipped = pickled if len(pickled) <= SMALL_PLAN else (ray.put(pickled),)
        trace = telemetry.carrier_of(span)

        async def run(chunk: Chunk, budget_s: float) -> ChunkDone:
            async with self._turns.large:
                task = ChunkTask(
                    simulation=simulation,
                    plan=shipped,
                    section=chunk.section,
                    first=chunk.first,
                    count=chunk.count,
                    budget_s=min(budget_s, budget.left_s) if chunk.section is Section.PATHS else budget_s,
                    trace=trace,
                )
                answer: ChunkDone | ChunkRefused = await unless_lost(self._workers.run_chunk.remote(task))
            if isinstance(answer, ChunkRefused):
                raise InvalidInput(answer.violations)
            return answer

        return run

    def _batch_runner(
        self, accounts: Sequence[engine_pb2.SimulateInput], span: Span, *, small: bool = False
    ) -> RunBatch:
        trace = telemetry.carrier_of(span)

        async def run(batch: Batch) -> BatchDone:
            inputs = accounts[batch.first : batch.first + batch.count]
            task = BatchTask(
                first=batch.first,
                inputs=tuple(each.SerializeToString() for each in inputs),
                small=small,
                trace=trace,
            )
            async with self._turns.small if small else self._turns.large:
                answer: BatchDone = await unless_lost(self._workers.run_batch.remote(task))
            return answer

        return run


async def unless_lost(answer: Awaitable[Answer]) -> Answer:
    """What a worker answers. Raises: WorkerLost."""
    try:
        return await answer
    except LOST as lost:
        raise WorkerLost from lost


def planned(request: engine_pb2.SimulateRequest) -> Plan:
    """The plan of a request. Raises: InvalidInput."""
    return engine.plan(codec.decode(request.input), codec.digest(request.input))


class Budget:
    """The time budget of one simulation, of which a resumed one has spent some already."""

    def __init__(self, plan: Plan, *, started: float) -> None:
        """`started` is when it began, or when it would have, had all attempts been one."""
        seconds = plan.spec.settings.time_budget_s
        self._ends = math.inf if seconds is None else started + seconds

    @property
    def left_s(self) -> float:
        """Seconds left, not below 0."""
        return max(0.0, self._ends - time.monotonic())

    def apply(self, ledger: Ledger) -> None:
        """Lets no further paths begin once it is spent."""
        if not self.left_s:
            ledger.expire()
