"""A GPU gives the bits of a CPU, for the typical case and for the two that have every rule of the rule book."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import case
from montecarlo.engine.v1 import engine_pb2

ROOT = Path(__file__).parents[3]
PATHS = 3 * 16_384 + 1_000
REMEDY = "needs a GPU that jax can use: on a machine with one, `pip install 'jax[cuda13]'` of the locked version"
CODE = """
import hashlib, sys, jax
from benchmarks.runs import plan_of
from montecarlo.engine.v1 import engine_pb2
from simulator import engine
plan = plan_of(engine_pb2.SimulateInput.FromString(sys.stdin.buffer.read()))
tally = engine.run(plan, 0, plan.blocks)
print(jax.default_backend(), hashlib.sha256(tally.to_bytes()).hexdigest())
"""
"""In a process of its own: the tests' own has settled for the CPU, and a process with a GPU runs other shapes."""

Change = Callable[[engine_pb2.SimulateInput], None]


def tally_on(platform: str, message: engine_pb2.SimulateInput) -> tuple[str, str]:
    """The backend, and the digest of the tally."""
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": platform, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
        input=message.SerializeToString(),
        capture_output=True,
        check=True,
    )
    backend, digest = done.stdout.decode().split()
    return backend, digest


@pytest.fixture(scope="session")
def gpu() -> None:
    """Skips where there is none."""
    seen = subprocess.run(
        [sys.executable, "-c", "import jax; jax.devices('gpu')"],
        env=os.environ | {"JAX_PLATFORMS": ""},
        capture_output=True,
        check=False,
    )
    if seen.returncode:
        pytest.skip(REMEDY)


@pytest.mark.gpu
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("change", [None, case.every_assessment_rule, case.every_funded_rule])
def test_a_gpu_gives_the_bits_of_a_cpu(change: Change | None) -> None:
    message = case.as_input(case.typical(PATHS))
    if change is not None:
        change(message)

    on_gpu, on_cpu = (tally_on(platform, message) for platform in ("cuda", "cpu"))

    assert (on_gpu[0], on_cpu[0]) == ("gpu", "cpu")
    assert on_gpu[1] == on_cpu[1]
