"""Many accounts, each a simulation of its own: the paths of some run while others are planned and reported.

Bad data fails its account alone.

Each gets the bits that it would get by itself, but for the equity fan, which is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from montecarlo.engine.v1 import engine_pb2
from simulator import codec, engine, result
from simulator.crew import Stopped, Work, work
from simulator.errors import InvalidInput
from simulator.planning import Plan

MOST_BYTES: Final = 2 << 20
"""Of the answers in one message, unless a single one has more: half of what gRPC takes by default."""


def simulate(
    inputs: Sequence[engine_pb2.SimulateInput],
    *,
    threads: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[engine_pb2.AccountAnswer]:
    """One answer an account, as each is done, in any order; none for those not done when `stop` says so."""
    what = Work(count=len(inputs), plan=lambda index: plan(inputs[index]), make=result.build, stop=stop)
    with suppress(Stopped):
        for done in work(what, threads=threads):
            answer = engine_pb2.AccountAnswer(index=done.index)
            if isinstance(done.made, InvalidInput):
                answer.error.CopyFrom(error(done.made))
            else:
                answer.result.CopyFrom(done.made)
            yield answer


def responses(answers: Iterable[engine_pb2.AccountAnswer]) -> Iterator[engine_pb2.SimulateManyResponse]:
    """The answers in as few messages as gRPC takes by default: on its way a message costs a server a millisecond."""
    response, size = engine_pb2.SimulateManyResponse(), 0
    for answer in answers:
        more = answer.ByteSize()
        if response.answers and size + more > MOST_BYTES:
            yield response
            response, size = engine_pb2.SimulateManyResponse(), 0
        response.answers.append(answer)
        size += more
    if response.answers:
        yield response


def plan(message: engine_pb2.SimulateInput) -> Plan:
    """The plan of one account, without an equity fan. Raises: InvalidInput."""
    return replace(engine.plan(codec.decode(message), codec.digest(message)), fan_paths=0)


def error(invalid: InvalidInput) -> engine_pb2.AccountError:
    """Why an account could not be simulated."""
    return engine_pb2.AccountError(
        fields=[engine_pb2.FieldError(field=each.field, description=each.description) for each in invalid.violations]
    )
