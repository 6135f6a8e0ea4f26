"""Figures have the same bits however many threads BLAS has."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

from simulator.sums import dot

CODE = """
import numpy as np
from simulator import estimate
from simulator.block_length import automatic_block_length
from simulator.histogram import Histogram
from simulator.shortfall import expected_shortfall
draws = np.random.default_rng(1).standard_t(3, 400_000)
values = Histogram.of((draws * 1e6).astype(np.int64))
found = [estimate.mean(values), expected_shortfall(values, 0.95), expected_shortfall(values, 0.99)]
bits = [float(figure).hex() for each in found for figure in (each.value, each.std_error)]
print(bits, automatic_block_length(draws[:50_000]).hex())
"""


def test_the_sum_of_products() -> None:
    assert dot(np.array([1, 2, 3]), np.array([0.5, 0.25, 4.0])) == 13.0


def test_figures_do_not_depend_on_the_threads_of_blas() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", CODE], check=True, capture_output=True, text=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads},
        ).stdout
        for threads in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1
