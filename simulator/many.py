"""Many accounts, each a simulation of its own: the paths of some run while others are planned and reported.

Bad data fails its account alone.

Each gets the bits that it would get by itself, but for the equity fan, which is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from montecarlo.engine.v1 import engine_pb2
from simulator import codec, engine, result
from simulator.crew import Stopped, Work, work
from simulator.errors import InvalidInput
from simulator.planning import Plan


def simulate(
    inputs: Sequence[engine_pb2.SimulateInput],
    *,
    threads: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[engine_pb2.SimulateManyResponse]:
    """One answer an account, as each is done, in any order; none for those not done when `stop` says so."""
    what = Work(count=len(inputs), plan=lambda index: plan(inputs[index]), make=result.build, stop=stop)
    with suppress(Stopped):
        for done in work(what, threads=threads):
            answer = engine_pb2.SimulateManyResponse(index=done.index)
            if isinstance(done.made, InvalidInput):
                answer.error.CopyFrom(error(done.made))
            else:
                answer.result.CopyFrom(done.made)
            yield answer


def plan(message: engine_pb2.SimulateInput) -> Plan:
    """The plan of one account, without an equity fan. Raises: InvalidInput."""
    return replace(engine.plan(codec.decode(message), codec.digest(message)), fan_paths=0)


def error(invalid: InvalidInput) -> engine_pb2.AccountError:
    """Why an account could not be simulated."""
    return engine_pb2.AccountError(
        fields=[engine_pb2.FieldError(field=each.field, description=each.description) for each in invalid.violations]
    )
