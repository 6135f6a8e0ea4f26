"""A worker compiles the common shapes by itself, and a second one finds all of them in the cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator import codec, compiled, engine
from simulator.serve import warmup
from simulator.serve.settings import Settings
from simulator.serve.usual import other_inputs, usual_input

KERNELS = 2
"""Of a shape: with the equity fan, and without."""


@pytest.mark.slow
def test_what_is_common_is_compiled_once_on_a_machine(tmp_path: Path, traces: list[object]) -> None:
    settings = Settings(compile_cache=str(tmp_path))
    shapes = 1 + len(list(other_inputs(warmup.PATHS)))

    for _ in range(2):
        warmup.compile_usual_shapes(settings)
        warmup.compile_other_shapes(settings)
        assert compiled.count() == KERNELS * shapes
        assert len(traces) == KERNELS * shapes
        compiled.forget()


def test_a_common_account_of_another_history_finds_its_kernels(traces: list[object]) -> None:
    warmup.compile_usual_shapes(Settings())
    message = usual_input(2 * engine.BLOCK_PATHS)
    del message.trades[200:]
    message.rules.profit_target.amount = "4500.00"

    plan = engine.plan(codec.decode(message), codec.digest(message))
    engine.run(plan, 0, plan.blocks)

    assert len(traces) == KERNELS
