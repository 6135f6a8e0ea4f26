"""What a worker compiles before it is asked, into this machine's cache: the usual shapes at first, then others."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from montecarlo.engine.v1 import engine_pb2
from simulator import codec, compile_cache, engine, rare, xla
from simulator.device import OF_A_SMALL_PLAN, Device
from simulator.planning import Plan
from simulator.serve.settings import Settings
from simulator.serve.usual import other_inputs, usual_input

PATHS: Final = 2 * engine.FAN_PATHS


def compile_usual_shapes(settings: Settings) -> None:
    """Before the worker is ready. One worker of a host at a time: the others find it cached."""
    sizes = (PATHS,) if xla.backend() == xla.CPU else (PATHS, (OF_A_SMALL_PLAN + 1) * engine.BLOCK_PATHS)
    with _cache(settings.compile_cache):
        for paths in sizes:
            _compile(usual_input(paths))


def compile_other_shapes(settings: Settings) -> None:
    """While the worker serves; a shape takes some seconds of a core, or a few milliseconds if it is cached. Those of a
    search for rare breaches come last.
    """
    others = list(other_inputs(PATHS))
    for each in others:
        with _cache(settings.compile_cache):
            _compile(each)
    for each in (usual_input(PATHS), *others):
        with _cache(settings.compile_cache):
            _compile_search(each)


def _compile(message: engine_pb2.SimulateInput) -> None:
    """Runs one block with the equity fan and one without."""
    plan = _plan(message)
    for block in (0, plan.blocks - 1):
        engine.run(plan, block, 1, threads=1)


def _compile_search(message: engine_pb2.SimulateInput) -> None:
    """Runs a weighted path to either floor."""
    for each in rare.of_each_kind(_plan(message)):
        Device(each).finished(range(1))


def _plan(message: engine_pb2.SimulateInput) -> Plan:
    return engine.plan(codec.decode(message), codec.digest(message))


@contextmanager
def _cache(root: str) -> Iterator[None]:
    if not root:
        yield
        return
    with (compile_cache.keep_in(Path(root)) / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
