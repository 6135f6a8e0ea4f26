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
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, cast

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax.experimental import serialize_executable

from simulator import compile_cache, packing
from simulator.bins import Bins
from simulator.ended import Ended
from simulator.fan import Fan
from simulator.host import handed
from simulator.kernel import Job, Shape, run_block
from simulator.models import Tables
from simulator.packing import Layout, Packed
from simulator.standing import Levels

Kernel = Callable[[Packed, jax.Array], tuple[Ended, Bins]]
_known: Final[dict[object, Kernel]] = {}
_locks: Final[dict[object, threading.Lock]] = {}
_guard: Final = threading.Lock()


class Prepared:
    """What all blocks of a plan take, and the kernel that takes it. Safe to use from many threads."""

    def __init__(self, shape: Shape, tables: Tables, levels: Levels, fan: Fan | None) -> None:
        """Nothing is compiled yet."""
        self.shape = shape
        self.layout, self.constants = packing.packed((tables, levels, fan))
        self._kernel: Kernel | None = None

    def run(self, key: npt.NDArray[np.uint32], first: int, count: int) -> tuple[Ended, Bins]:
        """`run_block` for so many paths from `first` on; the lower 32 bits of their indices do not wrap."""
        paths = where(key, first, count)
        with jax.enable_x64(True):  # noqa: FBT003 — jax's own signature
            kernel = self._kernel = self._kernel or _found(self, paths)
            return kernel(self.constants, paths)


def where(key: npt.NDArray[np.uint32], first: int, count: int) -> jax.Array:
    """Which paths, as `run_packed` takes it."""
    return handed(np.array([*key, first & 0xFFFFFFFF, count], np.uint32))


@partial(jax.jit, static_argnums=(0, 1))
def run_packed(shape: Shape, layout: Layout, constants: Packed, paths: jax.Array) -> tuple[Ended, Bins]:
    """`run_block` of packed arguments. paths: uint32[4], the two words of the key, the first path, and how many."""
    tables, levels, fan = packing.unpacked(layout, constants)
    job = Job(
        tables=tables, levels=levels, fan=fan, key=paths[:2], first_path=paths[2], paths=paths[3].astype(jnp.int32)
    )
    return run_block(shape, job)


def _found(prepared: Prepared, paths: jax.Array) -> Kernel:
    """The kernel, compiled by one thread while the others that need it wait."""
    arrays = tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(prepared.constants))
    key = (prepared.shape, prepared.layout, arrays)
    with _guard:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:
        kernel = _known.get(key)
        if kernel is None:
            kernel = _known[key] = _made(prepared, paths, key)
    return kernel


def count() -> int:
    """How many kernels this process holds."""
    return len(_known)


def forget() -> None:
    """Nothing is compiled any more in this process, but for plans that are loaded already."""
    _known.clear()
    cast("Any", run_packed).clear_cache()


def _made(prepared: Prepared, paths: jax.Array, key: object) -> Kernel:
    file, taken = _file(key), (prepared.constants, paths)
    kernel = None if file is None else _read(file, taken)
    if kernel is None:
        kernel = cast("Any", run_packed).lower(prepared.shape, prepared.layout, *taken).compile()
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


def _read(file: Path, taken: tuple[Packed, jax.Array]) -> Kernel | None:
    """The kernel in this file; None if there is none, or none that this process can use."""
    try:
        code, places = pickle.loads(file.read_bytes())  # noqa: S301 — our own file, as trusted as the code beside it
        structures = jax.tree.structure((taken, {})), jax.tree.structure(places)
        kernel: Kernel = serialize_executable.deserialize_and_load(code, *structures)
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
