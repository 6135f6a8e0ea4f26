"""The engine on a GPU, where there is one, against the threads of the CPU beside it: paths agree to the last bit."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from benchmarks import case
from benchmarks.measure import side_by_side
from benchmarks.rows import Row
from benchmarks.runs import Change, changed, run_of
from simulator import xla
from simulator.tally import Tally

PATHS = 64_000_000
CPU_PATHS = 4_000_000
FEW_PATHS, FEW_DAYS = 100_000, 60
CHANGES: Mapping[str, tuple[Change, ...]] = {
    "four": (),
    "assessment": (case.every_assessment_rule,),
    "funded": (case.every_funded_rule,),
    "early": (case.most_end_early,),
}
NAMES = {
    "assessment": "every rule of an assessment, a step",
    "funded": "every rule of a funded account, a step",
}


def rows(threads: int, rounds: int) -> list[Row]:
    """None without a GPU."""
    found = _measured(rounds)
    if found["device"] == xla.CPU:
        Console(stderr=True).print("No rows of a GPU: jax finds none here, see docs/deployment.md", highlight=False)
        return []
    on_cpu = side_by_side({"cpu": run_of(changed(CPU_PATHS), threads)}, rounds=rounds)["cpu"]
    few = run_of(_few(), threads)()
    assert found["few_digest"] == hashlib.sha256(few.to_bytes()).hexdigest(), "the GPU disagrees with the CPU"
    assert isinstance(on_cpu.answer, Tally)
    seconds = found["seconds"]
    speed = {name: steps / seconds[name] for name, steps in found["steps"].items()}
    beside = on_cpu.answer.steps / on_cpu.best_s
    return [
        Row(key="gpu_speed", what=f"{found['name']}, all figures", figure=speed["four"] / 1e9, unit="G path-steps/s"),
        Row(key="gpu_over_cpu", what=f"it over {threads} threads of the CPU", figure=speed["four"] / beside, unit="x"),
        *(
            Row(key=f"gpu_{name}", what=f"on the GPU: {what}", figure=speed["four"] / speed[name], unit="x")
            for name, what in NAMES.items()
        ),
        Row(
            key="gpu_early",
            what="on the GPU: 95% end by day 20 of 252, time",
            figure=seconds["early"] / seconds["four"],
            unit="x",
        ),
        Row(
            key="gpu_few_ms",
            what=f"on the GPU: {FEW_PATHS:,} x {FEW_DAYS}, from the plan to the tally",
            figure=seconds["few"] * 1e3,
            unit="ms",
        ),
    ]


def _few() -> Any:
    message = changed(FEW_PATHS)
    message.settings.horizon_days = FEW_DAYS
    return message


def _measured(rounds: int) -> dict[str, Any]:
    """By a process of its own: this one has settled for the CPU."""
    command = [sys.executable, "-m", "benchmarks.gpu", str(rounds)]
    environment = os.environ | {"JAX_PLATFORMS": "", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _measure(rounds: int) -> dict[str, Any]:
    """On whatever device jax finds."""
    if xla.backend() == xla.CPU:
        return {"device": xla.CPU}
    import jax  # noqa: PLC0415 — only where there is a GPU

    calls: dict[str, Callable[[], object]] = {
        name: run_of(changed(PATHS, *changes), 1) for name, changes in CHANGES.items()
    }
    timings = side_by_side(calls | {"few": run_of(_few(), 1)}, rounds=rounds)
    tallies = {name: timing.answer for name, timing in timings.items() if isinstance(timing.answer, Tally)}
    return {
        "device": xla.backend(),
        "name": jax.devices()[0].device_kind,
        "seconds": {name: timing.best_s for name, timing in timings.items()},
        "steps": {name: tally.steps for name, tally in tallies.items()},
        "few_digest": hashlib.sha256(tallies["few"].to_bytes()).hexdigest(),
    }


if __name__ == "__main__":
    json.dump(_measure(int(sys.argv[1])), sys.stdout)
