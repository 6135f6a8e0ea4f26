"""`python -m simulator.serve --worker-gpus 1` where there is none to use ends, and says what to do."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SERVE = (sys.executable, "-m", "simulator.serve", "--port", "0", "--worker-gpus", "1")
RAY_HAS_ONE = """
import functools
from simulator.serve.__main__ import main, prepare_environment
prepare_environment()
import ray
ray.init = functools.partial(ray.init, num_gpus=1)
main(["--port", "0", "--worker-gpus", "1"])
"""


def ended(*command: str, visible: str) -> str:
    """What it said last, having ended by itself with an error; `visible`: the GPUs that Ray may count."""
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": visible}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 1, done.stderr
    assert not done.stdout
    return done.stderr.rstrip().splitlines()[-1]


def test_where_ray_finds_too_few() -> None:
    assert ended(*SERVE, visible="") == (
        "error: 1 GPUs are wanted, 1 a worker, but Ray finds 0 here: see whether nvidia-smi lists them, "
        "or serve with --worker-gpus 0."
    )


def test_where_jax_cannot_use_it() -> None:
    assert "NoGpu: worker_gpus is set, but jax finds no GPU here" in ended(
        sys.executable, "-c", RAY_HAS_ONE, visible="0"
    )
