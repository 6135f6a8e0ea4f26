"""A GPU gives the bits of a CPU: for every model, for all rules, and for every two of them together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
REMEDY = "needs a GPU that jax can use: on a machine with one, `pip install 'jax[cuda13]'` of the locked version"


def bits_on(platforms: str) -> dict[str, Any]:
    """In a process of its own: the tests' own has settled for the CPU."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.simulator.bits"],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": platforms, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-4_000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def needs_a_gpu() -> None:
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
@pytest.mark.timeout(900)
def test_a_gpu_gives_the_bits_of_a_cpu() -> None:
    needs_a_gpu()
    on_gpu, on_cpu = bits_on(""), bits_on("cpu")

    assert (on_gpu["device"], on_cpu["device"]) == ("gpu", "cpu")
    differ = [name for name, digest in on_cpu["digests"].items() if on_gpu["digests"][name] != digest]
    assert not differ
    assert len(on_cpu["digests"]) > 60
    assert len(on_cpu["rare"]) >= 2
    assert on_gpu["rare"] == pytest.approx(on_cpu["rare"], rel=1e-9)
