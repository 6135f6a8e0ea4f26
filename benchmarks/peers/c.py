"""Builds and calls the peer in C."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.case import START_MINOR, Case

SOURCE = Path(__file__).with_name("paths.c")


def available() -> bool:
    """Whether a C compiler is here."""
    return shutil.which("gcc") is not None


def build() -> ctypes.CDLL:
    """Compile for this machine and load. Raises CalledProcessError with the compiler's words."""
    target = Path(tempfile.mkdtemp(prefix="mc-bench-")) / "paths.so"
    flags = ["-O3", "-march=native", "-shared", "-fPIC", "-pthread"]
    subprocess.run(["gcc", *flags, "-o", str(target), str(SOURCE)], check=True)
    library = ctypes.CDLL(str(target))
    library.run.restype = ctypes.c_int64
    return library


def run(library: ctypes.CDLL, case: Case, key: tuple[int, int], threads: int) -> tuple[list[int], int]:
    """Outcome counts (passed, drawdown, daily loss, expired) and the trades taken."""
    outcomes = (ctypes.c_int64 * 4)()
    pnl = np.ascontiguousarray(case.pnl_minor, np.int32)
    steps = library.run(
        ctypes.c_uint32(key[0]), ctypes.c_uint32(key[1]), pnl.ctypes.data_as(ctypes.c_void_p), pnl.size, case.steps,
        START_MINOR, case.static_floor, case.allowance, case.daily_loss, START_MINOR + case.target,
        ctypes.c_uint64(case.paths), threads, outcomes,
    )  # fmt: skip
    return list(outcomes), int(steps)
