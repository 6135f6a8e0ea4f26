"""The worker deployment: one chunk at a time, on its own share of the cores, ready to stop four times a second."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

from simulator import engine
from simulator.engine import Plan
from simulator.errors import InvalidInput
from simulator.serve import telemetry
from simulator.serve.chunks import ChunkDone, ChunkRefused, ChunkTask
from simulator.serve.settings import Settings
from simulator.tally import Tally

PIECE_S: Final = 0.25
"""How long the engine runs before the worker looks up again."""

KEPT_PLANS: Final = 8


class Worker:
    """A replica. Its compute thread runs one chunk; a second may wait, so that the thread never idles."""

    def __init__(self, settings: Settings) -> None:
        """Compiles the usual shapes, so that the first chunk need not."""
        confine(settings)
        from simulator.serve import warmup  # noqa: PLC0415 — it imports jax, which reads what confine() has set

        self._threads = settings.worker_cpus
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._lane = ThreadPoolExecutor(max_workers=1, thread_name_prefix="chunks")
        self._telemetry = telemetry.start("worker")
        warmup.compile_usual_shapes(settings)

    async def run_chunk(self, task: ChunkTask) -> ChunkDone | ChunkRefused:
        """Runs a chunk. Cancelling the call ends it within a piece."""
        plan = await self._plan(task)
        stop = threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._lane, self._run, plan, task, stop)
        finally:
            stop.set()

    def __del__(self) -> None:
        """Ray Serve's call on a replica that is about to end."""
        if hasattr(self, "_telemetry"):
            self._telemetry.close()

    async def _plan(self, task: ChunkTask) -> Plan:
        plan = self._plans.get(task.simulation)
        if plan is None:
            reference: Any = task.plan[0]
            plan = self._plans[task.simulation] = await reference
            while len(self._plans) > KEPT_PLANS:
                self._plans.popitem(last=False)
        return plan

    def _run(self, plan: Plan, task: ChunkTask, stop: threading.Event) -> ChunkDone | ChunkRefused:
        with self._observed(task) as span:
            try:
                done = self._compute(plan, task, stop)
            except InvalidInput as invalid:
                return ChunkRefused(violations=invalid.violations)
            tally = done[1]
            span.set_attributes({"blocks": done[0], "paths": tally.paths, "path_steps": tally.steps})
            self._telemetry.path_steps.add(tally.steps)
            self._telemetry.chunks.add(1)
            return ChunkDone(blocks=done[0], tally=tally.to_bytes(), seconds=done[2])

    def _compute(self, plan: Plan, task: ChunkTask, stop: threading.Event) -> tuple[int, Tally, float]:
        """Blocks done, their tally, and the seconds it took."""
        started = time.monotonic()
        done, total, piece, elapsed = 0, Tally.empty(), self._threads, 0.0
        while done < task.blocks and elapsed < task.budget_s and not stop.is_set():
            blocks = min(piece, task.blocks - done)
            total = Tally.merge(total, engine.run(plan, task.first_block + done, blocks, threads=self._threads))
            done += blocks
            before, elapsed = elapsed, time.monotonic() - started
            piece = paced(blocks, elapsed - before, self._threads)
        return done, total, elapsed

    @contextmanager
    def _observed(self, task: ChunkTask) -> Iterator[Any]:
        span = self._telemetry.tracer.start_span(
            "engine.run_chunk",
            context=telemetry.parent_of(task.trace),
            attributes={"first_block": task.first_block, "worker": os.getpid()},
        )
        self._telemetry.busy.add(1)
        try:
            with span:
                yield span
        finally:
            self._telemetry.busy.add(-1)


def paced(blocks: int, took_s: float, threads: int) -> int:
    """Blocks of the next piece, so that it takes PIECE_S: a multiple of the threads, at most four times as many."""
    wanted = blocks * min(4.0, PIECE_S / max(took_s, 1e-6))
    return max(1, int(wanted / threads)) * threads


def confine(settings: Settings) -> None:
    """Holds XLA to the worker's share of the host: its thread pools take every core it sees. Before jax is imported.

    NPROC is what XLA reads for the size of its pools. Pinning would do worse: workers in containers of one host number
    the same cores, and would all pin themselves to the first of them.
    """
    os.environ["NPROC"] = str(settings.worker_cpus)
    os.environ["MCSIM_THREADS"] = str(settings.worker_cpus)
    if settings.worker_gpus:
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    else:
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
