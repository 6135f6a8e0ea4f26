"""A worker compiles the common shapes by itself, and a second one finds all of them in the cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator import codec, compiled, crew, engine, rare
from simulator.serve import warmup
from simulator.serve.settings import Settings
from simulator.serve.usual import other_inputs, usual_input

KERNELS = 2
"""Of a shape: with the equity fan, and without."""

SEARCHES = 2
"""Kernels of a shape by which rare breaches are sought: of the account's floor, and of that of a day."""


@pytest.mark.slow
def test_what_is_common_is_compiled_once_on_a_machine(tmp_path: Path, traces: list[object]) -> None:
    settings = Settings(compile_cache=str(tmp_path))
    kernels = (KERNELS + SEARCHES) * (1 + len(list(other_inputs(warmup.PATHS))))

    for _ in range(2):
        warmup.compile_usual_shapes(settings)
        warmup.compile_other_shapes(settings)
        assert compiled.count() == kernels
        assert len(traces) == kernels
        compiled.forget()


@pytest.mark.slow
def test_a_search_of_a_common_account_finds_its_kernels(traces: list[object]) -> None:
    """Whatever its history and its amounts."""
    warmup.compile_usual_shapes(Settings())
    warmup.compile_other_shapes(Settings())
    before = len(traces)
    message = usual_input(rare.LEAST_PATHS)
    message.rules.max_drawdown.amount, message.rules.daily_loss.amount = "4000.00", "1800.00"
    message.rules.profit_target.amount = "30000.00"
    del message.trades[200:]

    plan = engine.plan(codec.decode(message), codec.digest(message))
    found = crew.simulate(plan)

    assert {event.outcome for event in found.rare} == set(rare.possible(plan.spec.rules))
    assert len(traces) == before


def test_a_common_account_of_another_history_finds_its_kernels(traces: list[object]) -> None:
    warmup.compile_usual_shapes(Settings())
    message = usual_input(2 * engine.BLOCK_PATHS)
    del message.trades[200:]
    message.rules.profit_target.amount = "4500.00"

    plan = engine.plan(codec.decode(message), codec.digest(message))
    engine.run(plan, 0, plan.blocks)

    assert len(traces) == KERNELS
