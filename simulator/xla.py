"""What XLA is told before it starts: how to compile the kernel for CPUs, and how many threads it may use.

XLA reads the environment once, when it first compiles or runs. `simulator.kernel` and `simulator.native` prepare it; in
a process where jax has compiled something before, that changes nothing, and costs but speed.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Final

CPU: Final = "cpu"
PLUGINS: Final = "jax_plugins"
"""The package, and the group of entry points, in which jax finds what makes it run on other devices."""
LIBRARIES: Final = ("PJRT_NAMES_AND_LIBRARY_PATHS", "TPU_LIBRARY_PATH")
"""Where else it looks: what is in these variables, and libtpu."""

WHOLE_LOOPS: Final = 1 << 26
"""Bytes. A loop that touches fewer is compiled as one function instead of one for each array that a step yields, which
a scheduler would then call one by one: a step of a tile takes some microseconds, and hundreds of calls as long. More
than the tables of any history take.
"""
VECTOR_BITS: Final = 512
"""As wide as the CPU has them: all is integers, so nothing is lost by a lower clock on the few CPUs that lower it."""
SCHEDULER: Final = "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"
"""As few arrays at a time as can be. The usual order is made for functions that run beside one another; a block runs on
one core, as others run on the others.
"""
FLAGS: Final = {
    "xla_backend_extra_options": f"xla_cpu_small_while_loop_byte_threshold={WHOLE_LOOPS}",
    "xla_cpu_prefer_vector_width": str(VECTOR_BITS),
    "xla_cpu_scheduler_type": SCHEDULER,
}


def flags(given: str) -> str:
    """These flags behind those that are given, which win."""
    ours = [f"--{name}={value}" for name, value in FLAGS.items() if f"--{name}=" not in given]
    return " ".join([*given.split(), *ours])


def prepare() -> None:
    """Sets the environment; what is given wins. Messages that only inform are left out, as jax leaves them out.

    What the threads of `simulator.launching` launch runs in XLA's pool: were there fewer threads in it, it would wait.
    """
    os.environ["XLA_FLAGS"] = flags(os.environ.get("XLA_FLAGS", ""))
    os.environ.setdefault("PJRT_NPROC", str(default_threads()))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")


@cache
def backend() -> str:
    """The kind of device that kernels run on, as jax names it; it is asked where it might find another than the CPU.
    And where it has been imported, for it may have settled for one before the environment was changed.
    """
    asked = os.environ.get("JAX_PLATFORMS", "")
    if not sys.modules.get("jax") and (asked == CPU or not (asked or _another_is_installed())):
        return CPU
    prepare()
    import jax  # noqa: PLC0415 — it takes longer than a small simulation, and now reads what has been prepared

    return jax.default_backend()


def _another_is_installed() -> bool:
    packages = any(find_spec(each) for each in (PLUGINS, "libtpu"))
    return packages or bool(entry_points(group=PLUGINS)) or any(os.environ.get(each) for each in LIBRARIES)


def default_threads() -> int:
    """Threads to use: MCSIM_THREADS, else the cores this process may use."""
    asked = os.environ.get("MCSIM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0))
