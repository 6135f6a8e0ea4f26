"""What a worker does otherwise on a GPU: pieces of whole launches, and two sizes compiled before it serves."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from simulator import engine, sections
from simulator.device import BLOCKS_ON_A_GPU, OF_A_SMALL_PLAN
from simulator.found import Found
from simulator.launching import Launcher
from simulator.planning import Plan
from simulator.sections import Section
from simulator.serve import warmup
from simulator.serve.chunks import ChunkTask
from simulator.serve.settings import Settings
from simulator.serve.worker import Worker
from simulator.spec import Scenario
from simulator.spec import Settings as Wanted
from tests.unit.simulator.samples import plan_of

CODE = """
from simulator.serve.settings import Settings
from simulator.serve.worker import Worker
Worker(Settings(worker_gpus=1))
"""


@pytest.fixture
def on_a_gpu(pretend_a_gpu: Callable[[], None]) -> None:
    pretend_a_gpu()


def test_a_worker_with_a_gpu_that_jax_does_not_find_says_what_to_do() -> None:
    """In a process of its own: a worker settles how its process computes."""
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=os.environ | {"JAX_PLATFORMS": "cpu"}, capture_output=True, check=False
    )
    said = done.stderr.decode().splitlines()[-1]
    assert done.returncode == 1
    assert "jax finds no GPU here: install a jax with a plugin for it, see docs/deployment.md" in said
    assert "worker_gpus to 0" in said


@pytest.mark.parametrize(
    ("section", "paths", "units"),
    [
        (Section.PATHS, 10**7, BLOCKS_ON_A_GPU),
        (Section.PATHS, 10**5, OF_A_SMALL_PLAN),
        (Section.HISTORIES, 10**7, 1),
        (Section.RARE, 10**7, 1),
    ],
)
@pytest.mark.usefixtures("on_a_gpu")
def test_so_many_units_run_at_once(section: Section, paths: int, units: int) -> None:
    with Launcher(4) as launcher:
        assert sections.at_once(plan_of(Wanted(paths=paths)), section, launcher) == units


@pytest.mark.usefixtures("on_a_gpu")
def test_a_worker_runs_pieces_of_whole_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def run(plan: Plan, section: Section, first: int, count: int, launcher: Launcher) -> Found:
        ran.append(count)
        return Found()

    monkeypatch.setattr(sections, "run", run)
    worker = object.__new__(Worker)  # without what it does to the process that it lives in
    task = ChunkTask(simulation="one", plan=(None,), section=Section.PATHS, first=5, count=1_000, budget_s=9.0)
    worker._threads, worker._paced = 2, (("", Section.PATHS), 1)
    assert worker._compute(plan_of(Wanted(paths=10**8)), task, threading.Event())[0] == 1_000
    assert [count % BLOCKS_ON_A_GPU for count in ran[:-1]] == [0] * (len(ran) - 1)
    assert ran[0] == BLOCKS_ON_A_GPU


@pytest.mark.usefixtures("on_a_gpu")
def test_scenarios_run_as_many_blocks_together(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    in_batches = engine.in_batches

    def noted(blocks: range, together: int = 1) -> list[range]:
        asked.append(together)
        return in_batches(blocks, together)[:0]

    monkeypatch.setattr(engine, "in_batches", noted)
    scenario = Scenario(name="tight", limits_factor=0.5)
    with Launcher(1) as launcher:
        sections.run(plan_of(Wanted(paths=10**7, scenarios=(scenario,))), Section.PATHS, 0, 100, launcher)
    assert asked == [BLOCKS_ON_A_GPU]


@pytest.mark.usefixtures("on_a_gpu")
def test_both_sizes_are_compiled_before_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(warmup, "_compile", lambda message: sizes.append(message.settings.paths))
    warmup.compile_usual_shapes(Settings())
    blocks = [-(-paths // engine.BLOCK_PATHS) for paths in sizes]
    assert [each > OF_A_SMALL_PLAN for each in blocks] == [False, True]
