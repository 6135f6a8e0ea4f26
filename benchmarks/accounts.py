"""Many accounts, each with its own history and rules, against one simulation of as many path-steps."""

from __future__ import annotations

import tempfile

from benchmarks.case import as_input, typical
from benchmarks.measure import side_by_side
from benchmarks.rows import Row, at_least
from benchmarks.runs import run_of
from montecarlo.engine.v1 import engine_pb2
from simulator.helpers import Helpers
from simulator.many import Answered
from simulator.tally import Tally

ACCOUNTS = 1_000
PATHS = 10_000


def rows(threads: int, rounds: int) -> list[Row]:
    """The speed of many small simulations over that of one large one."""
    inputs = [account(number).SerializeToString() for number in range(ACCOUNTS)]
    one = run_of(as_input(typical(ACCOUNTS * PATHS // 10)), threads)
    with tempfile.TemporaryDirectory(prefix="mc-bench-") as folder, Helpers(threads, compile_cache=folder) as helpers:
        calls = {"one": one, "many": lambda: helpers.simulate(inputs)}
        timings = side_by_side(calls, rounds=max(1, rounds // 2))
    tally, answered = timings["one"].answer, timings["many"].answer
    assert isinstance(tally, Tally)
    assert isinstance(answered, Answered)
    assert _results(answered) == ACCOUNTS
    speed = answered.path_steps / timings["many"].best_s / (tally.steps / timings["one"].best_s)
    what = f"{ACCOUNTS:,} accounts of {PATHS:,} paths over one job"
    return [
        Row(key="accounts", what=what, figure=speed, unit="x", goal=at_least(0.8)),
        Row(
            key="accounts_s",
            what="accounts simulated",
            figure=ACCOUNTS / timings["many"].best_s,
            unit="a second",
        ),
    ]


def account(number: int) -> engine_pb2.SimulateInput:
    """One of the many."""
    message = as_input(typical(PATHS, history=number))
    message.rules.profit_target.amount = f"{6_000 + number % 7}"
    return message


def _results(answered: Answered) -> int:
    """How many accounts have one."""
    responses = map(engine_pb2.SimulateManyResponse.FromString, answered.responses)
    return sum(answer.HasField("result") for response in responses for answer in response.answers)
