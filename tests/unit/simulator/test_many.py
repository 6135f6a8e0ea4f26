"""Many accounts at once: each gets the bits it would get alone, and what is wrong with one is its own affair."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from montecarlo.engine.v1 import engine_pb2
from montecarlo.v1 import result_pb2
from simulator import codec, crew, engine, many, result
from simulator.launching import Launcher
from simulator.serve.usual import usual_input

BLOCK = engine.BLOCK_PATHS


def account(number: int, paths: int = 700) -> engine_pb2.SimulateInput:
    """An account with a history and a target of its own."""
    message = usual_input(paths)
    message.settings.ClearField("seed")
    del message.trades[200 - number :]
    message.rules.profit_target.amount = f"{2_000 + 100 * number}.00"
    return message


def alone(message: engine_pb2.SimulateInput) -> result_pb2.SimulationResult:
    plan = engine.plan(codec.decode(message), codec.digest(message))
    return result.build(plan, crew.simulate(plan), 0.0)


def comparable(found: result_pb2.SimulationResult) -> bytes:
    """Its bytes without the fan and the time."""
    kept = result_pb2.SimulationResult()
    kept.CopyFrom(found)
    kept.ClearField("equity_fan")
    kept.ClearField("elapsed_s")
    return kept.SerializeToString(deterministic=True)


def answers(inputs: Sequence[engine_pb2.SimulateInput], threads: int = 2) -> dict[int, engine_pb2.AccountAnswer]:
    found = list(many.simulate(inputs, threads=threads))
    assert len({each.index for each in found}) == len(found)
    return {each.index: each for each in found}


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_every_account_gets_the_bits_that_it_would_get_alone_but_for_the_fan(threads: int) -> None:
    inputs = [account(number) for number in range(6)]
    inputs[2].settings.estimation_risk.histories = 20
    inputs[3].settings.scenarios.add(name="tight", limits_factor=0.8)
    inputs[4].settings.precision.add(outcome="passed", half_width=0.9)

    found = answers(inputs, threads)

    assert sorted(found) == list(range(6))
    for index, message in enumerate(inputs):
        assert comparable(found[index].result) == comparable(alone(message))
        assert not found[index].result.HasField("equity_fan")


def test_a_large_account_is_shared_by_the_threads_and_keeps_its_bits() -> None:
    inputs = [account(0, 5 * BLOCK + 3), account(1)]
    found = answers(inputs, threads=3)
    assert [comparable(found[index].result) for index in range(2)] == [comparable(alone(each)) for each in inputs]


def test_bad_data_fails_its_account_alone_and_every_bad_field_is_named() -> None:
    inputs = [account(number) for number in range(4)]
    inputs[1].trades[3].pnl = "a lot"
    inputs[1].settings.horizon_days = -1
    inputs[2].rules.ClearField("max_drawdown")
    inputs[2].rules.ClearField("daily_loss")
    inputs[2].rules.ClearField("profit_target")
    for trade in inputs[2].trades:
        trade.pnl = "5000000.00"

    found = answers(inputs)

    assert [found[index].WhichOneof("outcome") for index in range(4)] == ["result", "error", "error", "result"]
    assert {each.field for each in found[1].error.fields} == {"trades[3].pnl", "settings.horizon_days"}
    assert [each.field for each in found[2].error.fields] == ["trades"]


def test_what_turns_out_to_be_impossible_fails_its_account_alone_while_others_wait() -> None:
    inputs = [account(number) for number in range(9)]
    for trade in inputs[1].trades:
        trade.pnl = "5000000.00"
    inputs[1].rules.ClearField("max_drawdown")
    inputs[1].rules.ClearField("daily_loss")
    inputs[1].rules.ClearField("profit_target")
    found = answers(inputs)
    assert {index for index in range(9) if found[index].WhichOneof("outcome") == "error"} == {1}


def test_answers_share_messages_as_far_as_these_may_be_large(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [engine_pb2.AccountAnswer(index=index) for index in range(6)]
    for index in (2, 3):
        answers[index].error.fields.add(description="x" * 100)
    monkeypatch.setattr(many, "MOST_BYTES", 50)
    alone = [engine_pb2.SimulateManyResponse(answers=[each]).SerializeToString() for each in answers]
    together = [engine_pb2.SimulateManyResponse.FromString(each) for each in many.joined(alone)]
    assert [[each.index for each in response.answers] for response in together] == [[0, 1], [2], [3], [4, 5]]
    assert [each for response in together for each in response.answers] == answers
    assert list(many.joined([])) == []


@pytest.mark.parametrize(("threads", "used"), [(0, 0), (3, 3), (None, 5)])
def test_no_threads_are_no_threads(threads: int | None, used: int, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []

    def noted(threads: int) -> Launcher:
        told.append(threads)
        return Launcher(threads)

    monkeypatch.setenv("MCSIM_THREADS", "5")
    monkeypatch.setattr(crew, "Launcher", noted)
    assert len(list(many.simulate([account(0)], threads=threads))) == 1
    assert told == [used]


def test_no_accounts_have_no_answers() -> None:
    assert list(many.simulate([])) == []


def test_what_is_stopped_gives_no_more_answers() -> None:
    inputs = [account(number, 40 * BLOCK) for number in range(8)]
    found: list[int] = []
    for answer in many.simulate(inputs, threads=2, stop=lambda: bool(found)):
        found.append(answer.index)  # noqa: PERF401 — what is found so far says when to stop
    assert 1 <= len(found) < len(inputs)


def test_closing_the_answers_begins_nothing_more() -> None:
    found = many.simulate([account(number) for number in range(4)], threads=1)
    next(found)
    found.close()  # type: ignore[attr-defined]  # a generator
    assert list(found) == []
