"""The compiled kernel: one for each shape, compiled once in a process, and kept in a folder for the processes to come.

jax can keep compilations too, but finds them only once it has been imported, and has traced and lowered the program
again, which takes longer than a small simulation. Here the name of a file says what a kernel is made of: the shapes,
the versions, and the source of this package; and a kernel that is found is run without jax. So it is for CPUs; on other
devices jax does all this in its own way.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import threading
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from simulator import compile_cache, native, packing, xla
from simulator.ended import Bins, Ended
from simulator.levels import Levels
from simulator.native import Code
from simulator.packing import Packed
from simulator.shape import Shape
from simulator.tables import Fan, Tables

if TYPE_CHECKING:
    from simulator.kernel.compiling import Compiled

_log: Final = logging.getLogger(__name__)


class Kernel(Protocol):
    """What runs the paths of one shape."""

    def held(self, constants: Packed) -> Any:
        """These, as `run` takes them."""

    def run(self, constants: Any, paths: npt.NDArray[np.uint32]) -> tuple[Ended, Bins]:
        """`run_block` of the paths of `where`."""


HELD: Final = 128
"""Kernels that a process holds, those that were used last. A kernel takes 5 to 25 MiB, in up to 300 mappings of memory,
of which Linux lets a process have 65,530; XLA ends a process that wants more.
"""
_most: Final = [HELD]

_known: Final[dict[object, Kernel]] = {}
_locks: Final = WeakValueDictionary[object, threading.Lock]()
_guard: Final = threading.Lock()


class Prepared:
    """What all blocks of a plan take, and the kernel that takes it. Safe to use from many threads."""

    def __init__(self, shape: Shape, tables: Tables, levels: Levels, fan: Fan | None) -> None:
        """Nothing is compiled yet."""
        self.shape = shape
        self.layout, self.constants = packing.packed((tables, levels, fan))
        self._ready: tuple[Kernel, Any] | None = None

    def run(self, key: npt.NDArray[np.uint32], first: int, count: int) -> tuple[Ended, Bins]:
        """`run_block` for so many paths from `first` on; the lower 32 bits of their indices do not wrap."""
        if self._ready is None:
            kernel = _found(self)
            self._ready = kernel, kernel.held(self.constants)
        kernel, constants = self._ready
        return kernel.run(constants, where(key, first, count))


def where(key: Sequence[int] | npt.NDArray[np.uint32], first: int, count: int) -> npt.NDArray[np.uint32]:
    """Which paths: uint32[4], the two words of the key, the first path, and how many."""
    return np.array([*key, first & 0xFFFFFFFF, count], np.uint32)


NO_PATHS: Final = where((0, 0), 0, 0)


def _found(prepared: Prepared) -> Kernel:
    """The kernel, compiled by one thread while the others that need it wait."""
    arrays = tuple((array.shape, array.dtype) for part in prepared.constants for array in part)
    key = (prepared.shape, prepared.layout, arrays)
    with _guard:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:
        kernel = _known.get(key) or _made(prepared, key)
        _hold(key, kernel)
    return kernel


def _hold(key: object, kernel: Kernel) -> None:
    """As the one used last; the one that nobody has used for longest may have to go, once no plan that is loaded needs
    it.
    """
    with _guard:
        _known.pop(key, None)
        _known[key] = kernel
        while len(_known) > _most[0]:
            del _known[next(iter(_known))]


def hold_at_most(kernels: int) -> None:
    """Another number than HELD, for a process that is one of many."""
    _most[:] = [kernels]


def count() -> int:
    """How many kernels this process holds."""
    return len(_known)


def forget() -> None:
    """Nothing is compiled any more in this process, but for plans that are loaded already."""
    _known.clear()
    _tell_once.cache_clear()


def _made(prepared: Prepared, key: object) -> Kernel:
    if xla.backend() != xla.CPU:
        return _by_jax(prepared)
    folder = compile_cache.kept_in()
    file = None if folder is None else folder / _name(key)
    kernel = None if file is None else _read(file, prepared.constants)
    return kernel or _compiled(prepared, file)


def _compiled(prepared: Prepared, file: Path | None) -> Kernel:
    by_jax = _by_jax(prepared)
    try:
        code = by_jax.code()
        kernel = _tried(code, prepared.constants)
    except Exception as why:  # noqa: BLE001 — whatever it is, jax runs the kernel all the same
        _tell_once(str(why))
        return by_jax
    if file is not None:
        _keep(file, code)
    return kernel


@cache
def _tell_once(why: str) -> None:
    _log.warning("Each process compiles its kernels, and imports jax to run them: %s", why)


def _by_jax(prepared: Prepared) -> Compiled:
    from simulator.kernel.compiling import Compiled  # noqa: PLC0415 — it imports jax

    return Compiled(prepared.shape, prepared.layout, prepared.constants, NO_PATHS)


def _name(key: object) -> str:
    return f"kernel-{hashlib.sha256(f'{_program()} {key}'.encode()).hexdigest()[:32]}"


@cache
def _program() -> str:
    """What the compiled code follows from, but for the shapes."""
    here = Path(__file__).parent
    sources = sorted([*here.glob("*.py"), *here.glob("kernel/*.py")])
    digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()
    xla.prepare()
    return f"{version('jax')} {version('jaxlib')} {os.environ['XLA_FLAGS']} {digest}"


def _read(file: Path, constants: Packed) -> Kernel | None:
    """The kernel in this file; None if there is none, or none that this process can use."""
    try:
        code = pickle.loads(file.read_bytes())  # noqa: S301 — our own file, as trusted as the code beside it
        kernel = _tried(code, constants)
    except Exception:  # noqa: BLE001 — whatever is wrong with a file that can be made again
        return None
    compile_cache.used(file)
    return kernel


def _tried(code: Code, constants: Packed) -> Kernel:
    """The kernel, after it has run without paths. Raises: whatever jaxlib raises that cannot run it."""
    kernel = native.Kernel(code)
    for result in (each for part in kernel.run(kernel.held(constants), NO_PATHS) for each in part if each is not None):
        if np.asarray(result).dtype.kind not in "biuf":
            raise TypeError(f"a result of jaxlib's is not an array of numbers: {type(result)}")
    return kernel


def _keep(file: Path, code: Code) -> None:
    whole = file.with_suffix(f".{os.getpid()}")
    try:
        whole.write_bytes(pickle.dumps(code))
        whole.replace(file)
        compile_cache.sweep(file.parent.parent)
    except OSError:
        whole.unlink(missing_ok=True)  # a full disk costs later processes a compilation, and this one nothing
