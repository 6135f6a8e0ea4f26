"""What is compiled, and how often."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator import engine
from simulator.spec import DrawdownKind, MaxDrawdown, MinimumDays, Model, Rules, Settings
from tests.unit.simulator.samples import DAYS, RULES, START, plan_of


def run(settings: Settings, *, days: tuple[tuple[int, ...], ...] = DAYS, rules: Rules = RULES) -> None:
    engine.run(replace(plan_of(settings, days=days, rules=rules), block_paths=256), 0, 1, threads=1)


@pytest.mark.parametrize("model", Model)
def test_jobs_of_one_shape_share_one_compilation(model: Model, traces: list[object]) -> None:
    run(Settings(paths=200, model=model, seed=1))
    other = replace(
        RULES,
        starting_balance_minor=START + 5,
        max_drawdown=MaxDrawdown(kind=DrawdownKind.TRAILING_END_OF_DAY, allowance_minor=300),
        minimum_days=MinimumDays(days=2),
    )
    run(Settings(paths=100, model=model, seed=2, horizon_days=30), rules=other)
    run(Settings(paths=50, model=model), days=((10, -20, 30), (5,), (-17, 8)) * 7)
    assert len(traces) == 1


def test_histories_of_one_bucket_share_one_compilation(traces: list[object]) -> None:
    run(Settings(paths=200), days=((10, -20), (5,)) * 30)
    run(Settings(paths=200), days=((3,), (-2,), (1, 1, 1, 1, 1)) * 16)
    assert len(traces) == 1
