"""Many accounts, each a simulation of its own: the paths of some run while others are planned and reported.

Bad data fails its account alone.

Each gets the bits that it would get by itself, but for the equity fan, which is left out unless it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Final

from montecarlo.engine.v1 import engine_pb2
from simulator import codec, engine, result
from simulator.crew import Stopped, Work, work
from simulator.errors import FieldViolation, InvalidInput
from simulator.planning import Plan

MOST_BYTES: Final = 2 << 20
"""Of the answers in one message, unless a single one has more: half of what gRPC takes by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """responses: serialised SimulateManyResponses; accounts: how many are in them, not all if somebody stopped it;
    path_steps: of all of them.
    """

    responses: tuple[bytes, ...]
    accounts: int
    path_steps: int


def answered(
    inputs: Sequence[bytes],
    *,
    first: int,
    with_fan: bool = False,
    threads: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Answered:
    """`simulate` of serialised inputs. first: the place of the first one in the call."""
    messages = [engine_pb2.SimulateInput.FromString(each) for each in inputs]
    answers = sorted(simulate(messages, with_fan=with_fan, threads=threads, stop=stop), key=attrgetter("index"))
    for each in answers:
        each.index += first
    return Answered(
        responses=tuple(
            joined(engine_pb2.SimulateManyResponse(answers=[each]).SerializeToString() for each in answers)
        ),
        accounts=len(answers),
        path_steps=sum(each.result.path_steps for each in answers),
    )


def simulate(
    inputs: Sequence[engine_pb2.SimulateInput],
    *,
    with_fan: bool = False,
    threads: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[engine_pb2.AccountAnswer]:
    """One answer an account, as each is done, in any order; none for those not done when `stop` says so.

    `threads`: as of `crew.work`.
    """

    def planned(index: int) -> Plan:
        return plan(inputs[index], with_fan=with_fan)

    what = Work(count=len(inputs), plan=planned, make=result.build, stop=stop)
    with suppress(Stopped):
        for done in work(what, threads=threads):
            answer = engine_pb2.AccountAnswer(index=done.index)
            if isinstance(done.made, InvalidInput):
                answer.error.CopyFrom(error(done.made))
            else:
                answer.result.CopyFrom(done.made)
            yield answer


def joined(responses: Iterable[bytes]) -> Iterator[bytes]:
    """The answers of serialised SimulateManyResponses in as few of them as gRPC takes by default: on its way a message
    costs a server a millisecond. Messages that are nothing but a list join as bytes.
    """
    parts, size = list[bytes](), 0
    for response in responses:
        if parts and size + len(response) > MOST_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
        parts.append(response)
        size += len(response)
    if parts:
        yield b"".join(parts)


def plan(message: engine_pb2.SimulateInput, *, with_fan: bool = False) -> Plan:
    """The plan of one account. Raises: InvalidInput."""
    planned = engine.plan(codec.decode(message), codec.digest(message))
    return planned if with_fan else replace(planned, fan_paths=0)


def invalid(error: engine_pb2.AccountError) -> InvalidInput:
    """What `error` was made of."""
    violations = [FieldViolation(field=each.field, description=each.description) for each in error.fields]
    return InvalidInput(violations, more=error.more_fields)


def error(invalid: InvalidInput) -> engine_pb2.AccountError:
    """Why an account could not be simulated."""
    return engine_pb2.AccountError(
        fields=[engine_pb2.FieldError(field=each.field, description=each.description) for each in invalid.violations],
        more_fields=invalid.more,
    )
