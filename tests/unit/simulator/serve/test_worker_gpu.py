"""A worker that is given a GPU says so if it cannot use it, before it serves."""

from __future__ import annotations

import os
import subprocess
import sys

CODE = """
from simulator.serve.settings import Settings
from simulator.serve.worker import Worker
Worker(Settings(worker_gpus=1))
"""


def test_a_worker_with_a_gpu_that_jax_does_not_find_says_what_to_do() -> None:
    """In a process of its own: a worker settles how its process computes."""
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=os.environ | {"JAX_PLATFORMS": "cpu"}, capture_output=True, check=False
    )
    said = done.stderr.decode().splitlines()[-1]
    assert done.returncode == 1
    assert "jax finds no GPU here: install a jax with a plugin for it, see docs/deployment.md" in said
    assert "worker_gpus to 0" in said
