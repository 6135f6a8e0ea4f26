"""Many accounts, each with its own history and rules, against one simulation of as many path-steps."""

from __future__ import annotations

from benchmarks.case import as_input, typical
from benchmarks.measure import side_by_side
from benchmarks.rows import Row, at_least
from benchmarks.runs import run_of
from montecarlo.engine.v1 import engine_pb2
from simulator import many
from simulator.tally import Tally

ACCOUNTS = 1_000
PATHS = 10_000


def rows(threads: int, rounds: int) -> list[Row]:
    """The speed of many small simulations over that of one large one."""
    inputs = [account(number) for number in range(ACCOUNTS)]
    one = run_of(as_input(typical(ACCOUNTS * PATHS // 10)), threads)
    calls = {"one": one, "many": lambda: sum(_steps(answer) for answer in many.simulate(inputs, threads=threads))}
    timings = side_by_side(calls, rounds=max(1, rounds // 2))
    tally, steps = timings["one"].answer, timings["many"].answer
    assert isinstance(tally, Tally)
    assert isinstance(steps, int)
    speed = steps / timings["many"].best_s / (tally.steps / timings["one"].best_s)
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


def _steps(answer: engine_pb2.AccountAnswer) -> int:
    assert answer.WhichOneof("outcome") == "result", answer
    return answer.result.path_steps
