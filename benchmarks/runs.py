"""Inputs made ready to be timed."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.case import as_input, typical
from montecarlo.engine.v1 import engine_pb2
from simulator import codec, engine
from simulator.planning import Plan
from simulator.tally import Tally

Change = Callable[[engine_pb2.SimulateInput], None]


def plan_of(message: engine_pb2.SimulateInput) -> Plan:
    """The plan of an input."""
    return engine.plan(codec.decode(message), codec.digest(message))


def run_of(message: engine_pb2.SimulateInput, threads: int) -> Callable[[], Tally]:
    """A call that runs all blocks of an input."""
    plan = plan_of(message)
    return lambda: engine.run(plan, 0, plan.blocks, threads=threads)


def changed(paths: int, *changes: Change) -> engine_pb2.SimulateInput:
    """The typical case with these changes."""
    message = as_input(typical(paths))
    for change in changes:
        change(message)
    return message
