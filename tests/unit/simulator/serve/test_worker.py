"""A chunk whose call was cancelled ends with the paths that run, whatever its section and however large a unit is."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from simulator import launching
from simulator.device import Device, Running, Stretch
from simulator.planning import Plan
from simulator.sections import Section
from simulator.serve.chunks import ChunkTask
from simulator.serve.worker import Worker
from simulator.spec import DrawdownKind, EstimationRisk, MaxDrawdown, Rules, Scenario, Settings
from simulator.tally import Outcome
from tests.unit.simulator.samples import START, plan_of

BLOCK = 512
BLOCKS = 400
FLOOR = Rules(starting_balance_minor=START, max_drawdown=MaxDrawdown(kind=DrawdownKind.STATIC, allowance_minor=600))
SCENARIOS = (Scenario(name="tight", limits_factor=0.5),)


def a_plan(**settings: object) -> Plan:
    """With much to do in each section."""
    wanted = replace(Settings(paths=BLOCKS * BLOCK, seed=7, horizon_days=30), **settings)
    return replace(plan_of(wanted, rules=FLOOR), block_paths=BLOCK, blocks=BLOCKS, fan_paths=BLOCK)


def a_worker() -> Worker:
    worker: Worker = object.__new__(Worker)  # without what it does to the process that it lives in
    worker._threads, worker._paced = 1, (("one", Section.PATHS), BLOCKS)
    return worker


def a_task(section: Section, *, first: int = 0, count: int = BLOCKS) -> ChunkTask:
    return ChunkTask(simulation="one", plan=(None,), section=section, first=first, count=count, budget_s=60.0)


@pytest.mark.parametrize(
    ("task", "plan"),
    [
        pytest.param(a_task(Section.PATHS), a_plan(), id="paths"),
        pytest.param(a_task(Section.PATHS), a_plan(scenarios=SCENARIOS), id="scenarios"),
        pytest.param(
            a_task(Section.HISTORIES),
            a_plan(estimation_risk=EstimationRisk(histories=BLOCKS, paths=BLOCK)),
            id="histories",
        ),
        pytest.param(a_task(Section.RARE, first=Outcome.BREACHED_MAX_DRAWDOWN, count=1), a_plan(), id="rare"),
    ],
)
def test_what_runs_is_all_that_still_ends(monkeypatch: pytest.MonkeyPatch, task: ChunkTask, plan: Plan) -> None:
    run, ran, stop = Device.run, list[Stretch](), threading.Event()

    def stopped_soon(device: Device, stretch: Stretch) -> Running:
        ran.append(stretch)
        if len(ran) == 10:
            stop.set()
        return run(device, stretch)

    monkeypatch.setattr(Device, "run", stopped_soon)

    done, _, _ = a_worker()._compute(plan, task, stop)

    assert done < task.count
    assert 10 <= len(ran) < 10 + launching.TOLD
