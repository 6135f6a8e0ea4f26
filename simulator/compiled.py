"""The compiled kernel: one for each shape, traced once in a process, and kept in a folder for the processes to come.

jax can keep compilations too, but finds them only once it has traced and lowered the program again, which takes longer
than a small simulation. Here the name of a file says what a kernel is made of: the shapes, the versions, and the source
of this package. So it is for CPUs; on other devices, where that is not known to work, jax keeps them in its own way.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import threading
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, cast

import jax
from jax.experimental import serialize_executable

from simulator import compile_cache
from simulator.bins import Bins
from simulator.ended import Ended
from simulator.kernel import Job, Shape, run_block

Kernel = Callable[[Job], tuple[Ended, Bins]]
_known: Final[dict[object, Kernel]] = {}
_locks: Final[dict[object, threading.Lock]] = {}
_guard: Final = threading.Lock()


def run(shape: Shape, job: Job) -> tuple[Ended, Bins]:
    """`run_block`, compiled by one thread while the others that need it wait. Call it under `jax.enable_x64`."""
    leaves, structure = jax.tree.flatten(job)
    key = (shape, structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves))
    kernel = _known.get(key)
    if kernel is None:
        with _guard:
            lock = _locks.setdefault(key, threading.Lock())
        with lock:
            kernel = _known.get(key)
            if kernel is None:
                kernel = _known[key] = _made(shape, job, key)
    return kernel(job)


def count() -> int:
    """How many kernels this process holds."""
    return len(_known)


def forget() -> None:
    """Nothing is compiled any more in this process."""
    _known.clear()
    cast("Any", run_block).clear_cache()


def _made(shape: Shape, job: Job, key: object) -> Kernel:
    file = _file(key)
    kernel = None if file is None else _read(file, job)
    if kernel is None:
        kernel = run_block.lower(shape, job).compile()
        if file is not None:
            _keep(file, kernel)
    return kernel


def _file(key: object) -> Path | None:
    """Where this kernel is kept; None where it is not kept, or in jax's own way."""
    folder, config = compile_cache.kept_in(), cast("Any", jax.config)
    if folder is None or config.jax_compilation_cache_dir:
        # What jax has read from a folder of its own cannot be written again: its functions are missing then.
        return None
    if jax.default_backend() != "cpu":
        config.update("jax_compilation_cache_dir", str(folder))
        config.update("jax_persistent_cache_min_compile_time_secs", 0)
        return None
    name = hashlib.sha256(f"{_program()} {key}".encode()).hexdigest()
    return folder / f"kernel-{name[:32]}"


@cache
def _program() -> str:
    """What the compiled code follows from, but for the shapes."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()
    return f"{version('jax')} {version('jaxlib')} {os.environ.get('XLA_FLAGS', '')} {digest}"


def _read(file: Path, job: Job) -> Kernel | None:
    """The kernel in this file; None if there is none, or none that this process can use."""
    try:
        code, places = pickle.loads(file.read_bytes())  # noqa: S301 — our own file, as trusted as the code beside it
        taken, given = jax.tree.structure(((job,), {})), jax.tree.structure(places)
        kernel: Kernel = serialize_executable.deserialize_and_load(code, taken, given)
    except Exception:  # noqa: BLE001 — whatever is wrong with a file that can be made again
        return None
    return kernel


def _keep(file: Path, kernel: Any) -> None:
    code, _, given = serialize_executable.serialize(kernel)
    whole = file.with_suffix(f".{os.getpid()}")
    try:
        whole.write_bytes(pickle.dumps((code, jax.tree.unflatten(given, range(given.num_leaves)))))
        whole.replace(file)
    except OSError:
        whole.unlink(missing_ok=True)  # a full disk costs later processes a compilation, and this one nothing
