"""What is compiled, and how often; and what XLA makes of it on a CPU."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from simulator import compiled, engine
from simulator.device import Device
from simulator.spec import DailyAction, DailyLoss, DrawdownKind, MaxDrawdown, MinimumDays, Model, Rules, Settings
from simulator.tables import bucket_of_trades
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
    run(Settings(paths=200), days=((3,), (-2,), (1, 1, 1, 1, 1)) * 73)
    assert len(traces) == 1


@pytest.mark.parametrize(("trades", "bucket"), [(1, 512), (512, 512), (513, 1024), (1024, 1024), (1025, 2048)])
def test_most_histories_are_of_one_bucket(trades: int, bucket: int) -> None:
    assert bucket_of_trades(trades) == bucket


@pytest.mark.parametrize("model", [Model.IID, Model.STATIONARY])
@pytest.mark.parametrize("trades_per_day", [None, 1])
def test_on_a_cpu_all_visits_and_moves_are_one_function_that_never_copies_all_lanes(
    model: Model, trades_per_day: int | None
) -> None:
    """Else a scheduler calls a function for each array, and a move copies all of them: slow, but not wrong."""
    rules = replace(RULES, daily_loss=DailyLoss(limit_minor=300, action=DailyAction.PAUSE), best_day_ppm=500_000)
    settings = Settings(paths=5_000, model=model, trades_per_day=trades_per_day)
    prepared = Device(replace(plan_of(settings, rules=rules), block_paths=1024)).usual
    program = compiled._by_jax(prepared)._compiled.as_text()
    *parts, entry = re.split(r"\n(?=%|ENTRY )", program)
    assert prepared.shape.tile < prepared.shape.lanes == 1024
    assert [entry.count(f" {what}(") for what in ("call", "while", "conditional")] == [1, 0, 0]
    assert not [part.split()[0] for part in parts if re.search(r"\[1024\]\S* copy\(", part)]
