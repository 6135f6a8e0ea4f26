"""The worker deployment: one chunk or batch at a time, on all of its cores, and small simulations beside, each on one.

What it does for a call ends soon after the call does.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

from simulator import many, sections, xla
from simulator.engine import Plan
from simulator.errors import InvalidInput
from simulator.found import Found
from simulator.helper_process import HelperLost
from simulator.helpers import Helpers
from simulator.launching import Launcher
from simulator.sections import Section
from simulator.serve import telemetry, warmup
from simulator.serve.chunks import BatchDone, BatchTask, ChunkDone, ChunkRefused, ChunkTask
from simulator.serve.settings import Settings

PIECE_S: Final = 0.5
"""How long the engine runs before the worker looks at the clock again."""

KEPT_PLANS: Final = 8

Task = TypeVar("Task")
Done = TypeVar("Done")

_log: Final = logging.getLogger("ray.serve")


class NoGpu(Exception):
    """A worker was given a GPU, and jax finds none."""

    def __str__(self) -> str:
        return (
            "worker_gpus is set, but jax finds no GPU here: install a jax with a plugin for it, see "
            "docs/deployment.md, or set worker_gpus to 0."
        )


class Worker:
    """A replica. Its compute thread runs one chunk; a second may wait, so that the thread never idles. A small
    simulation has that thread, and so all cores, if the worker has nothing else to do; else it has a helper.
    """

    def __init__(self, settings: Settings) -> None:
        """Compiles the usual shapes, so that the first chunk need not, and begins with others."""
        confine(settings)
        if settings.worker_gpus and xla.backend() == xla.CPU:
            raise NoGpu
        if settings.helpers > 1 and not settings.compile_cache:  # or each would compile all for itself
            self._folder = tempfile.TemporaryDirectory(prefix="mcsim-")
            settings = replace(settings, compile_cache=self._folder.name)
        self._threads = settings.worker_cpus
        self._one_core = settings.worker_cpus == 1 and not settings.worker_gpus
        self._helpers = Helpers(settings.helpers, compile_cache=settings.compile_cache)
        self._has_helpers = False
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._paced = (("", Section.PATHS), 1)
        self._lane = ThreadPoolExecutor(max_workers=1, thread_name_prefix="chunks")
        self._beside = ThreadPoolExecutor(max_workers=settings.helpers, thread_name_prefix="small")
        self._running = set[Future[Any]]()
        self._telemetry = telemetry.start("worker")
        warmup.compile_usual_shapes(settings)
        threading.Thread(target=self._prepare, args=(settings,), name="warmup", daemon=True).start()

    async def run_chunk(self, task: ChunkTask) -> ChunkDone | ChunkRefused:
        """Runs a chunk. Cancelling the call ends it once the paths end that run at the moment."""
        return await self._in(self._lane, partial(self._run, await self._plan(task)), task)

    async def run_batch(self, task: BatchTask) -> BatchDone:
        """Simulates a few accounts. Cancelling the call ends it within a chunk of the engine.

        Raises: HelperLost; HelperFailed.
        """
        beside = task.small and self._has_helpers and bool(self._running)
        by_helpers = beside or self._helpers.are_for(len(task.inputs))
        return await self._in(
            self._beside if beside else self._lane, partial(self._run_batch, by_helpers=by_helpers), task
        )

    def __del__(self) -> None:
        """Ray Serve's call on a replica that is about to end."""
        if hasattr(self, "_helpers"):
            self._helpers.close()
        if hasattr(self, "_folder"):
            self._folder.cleanup()
        if hasattr(self, "_telemetry"):
            self._telemetry.close()

    def _prepare(self, settings: Settings) -> None:
        """What may be done while it already serves."""
        if settings.helpers > 1:
            try:
                self._helpers.start()
                self._has_helpers = True
            except HelperLost:
                _log.exception("no_helpers: small simulations take turns, and many accounts may fail")
        warmup.compile_other_shapes(settings)

    async def _in(self, pool: ThreadPoolExecutor, run: Callable[[Task, threading.Event], Done], task: Task) -> Done:
        """What comes of a task, which is told to stop when its call ends. It counts as running until it has ended."""
        stop = threading.Event()
        running = pool.submit(run, task, stop)
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        try:
            return await asyncio.wrap_future(running)
        finally:
            stop.set()

    async def _plan(self, task: ChunkTask) -> Plan:
        plan = self._plans.get(task.simulation)
        if plan is None:
            plan = self._plans[task.simulation] = await _unpickled(task.plan)
            while len(self._plans) > KEPT_PLANS:
                self._plans.popitem(last=False)
        return plan

    def _run(self, plan: Plan, task: ChunkTask, stop: threading.Event) -> ChunkDone | ChunkRefused:
        about: dict[str, str | int] = {"section": task.section.name, "first": task.first}
        with self._observed("engine.run_chunk", task.trace, about) as span:
            try:
                count, found, seconds = self._compute(plan, task, stop)
            except InvalidInput as invalid:
                return ChunkRefused(violations=invalid.violations)
            tally = found.tally
            span.set_attributes({"count": count, "paths": tally.paths, "path_steps": tally.steps})
            self._telemetry.path_steps.add(tally.steps)
            self._telemetry.chunks.add(1)
            return ChunkDone(count=count, found=found.to_bytes(), seconds=seconds)

    def _compute(self, plan: Plan, task: ChunkTask, stop: threading.Event) -> tuple[int, Found, float]:
        """Units done, what they yielded, and the seconds it took. One piece is done whatever the budget.

        Pieces are as large as those of the chunk before, if that was of the same kind.
        """
        started = time.monotonic()
        done, total, elapsed, at = 0, Found(), 0.0, (task.simulation, task.section)
        with Launcher(self._threads, stop=stop.is_set) as launcher, suppress(CancelledError):
            at_once = sections.at_once(plan, task.section, launcher)
            piece = self._paced[1] if self._paced[0] == at else at_once
            while done < task.count and (not done or elapsed < task.budget_s):
                units = min(piece, task.count - done)
                total += sections.run(plan, task.section, task.first + done, units, launcher)
                done += units
                before, elapsed = elapsed, time.monotonic() - started
                if units == piece:
                    piece = paced(units, elapsed - before, at_once)
                    self._paced = at, piece
        return done, total, elapsed

    def _run_batch(self, task: BatchTask, stop: threading.Event, *, by_helpers: bool) -> BatchDone:
        started = time.monotonic()
        with self._observed("engine.run_batch", task.trace, {"accounts": len(task.inputs)}) as span:
            # One core has several accounts in turn, as a helper does; the paths of one may find a core that is free.
            threads = 0 if self._one_core and len(task.inputs) > 1 else self._threads
            simulate = self._helpers.simulate if by_helpers else partial(many.answered, threads=threads)
            answered = simulate(task.inputs, first=task.first, with_fan=task.small, stop=stop.is_set)
            span.set_attribute("path_steps", answered.path_steps)
            self._telemetry.path_steps.add(answered.path_steps)
            self._telemetry.chunks.add(1)
            return BatchDone(responses=answered.responses, seconds=time.monotonic() - started)

    @contextmanager
    def _observed(self, name: str, trace: dict[str, str], about: Mapping[str, str | int]) -> Iterator[Any]:
        span = self._telemetry.tracer.start_span(
            name, context=telemetry.parent_of(trace), attributes={**about, "worker": os.getpid()}
        )
        self._telemetry.busy.add(1)
        try:
            with span:
                yield span
        finally:
            self._telemetry.busy.add(-1)


async def _unpickled(shipped: bytes | tuple[Any]) -> Plan:
    pickled = shipped if isinstance(shipped, bytes) else await shipped[0]
    plan: Plan = pickle.loads(pickled)  # noqa: S301 — the ingress has just pickled it
    return plan


def paced(units: int, took_s: float, at_once: int) -> int:
    """Units of the next piece, so that it takes PIECE_S: a multiple of those that run at once, at most four times as
    many.
    """
    wanted = units * min(4.0, PIECE_S / max(took_s, 1e-6))
    return max(1, int(wanted / at_once)) * at_once


def confine(settings: Settings) -> None:
    """Holds XLA to the worker's share of the host: its thread pools take every core it sees. Before the first kernel.

    NPROC and PJRT_NPROC are what XLA reads for the size of its pools. Pinning would do worse: workers in containers of
    one host number the same cores, and would all pin themselves to the first of them.
    """
    os.environ["NPROC"] = os.environ["PJRT_NPROC"] = str(settings.worker_cpus)
    os.environ["MCSIM_THREADS"] = str(settings.worker_cpus)
    if settings.worker_gpus:
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    else:
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
