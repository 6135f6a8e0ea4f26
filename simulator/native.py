"""Runs compiled kernels on the CPU by jaxlib alone: to import jax takes longer than a small simulation.

It takes parts of jaxlib that jax is made of, and that are no promise to others: a version may change them. So a kernel
is tried before it is trusted, and where that fails `simulator.compiled` has jax run it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator import xla
from simulator.ended import Bins, Ended
from simulator.packing import Packed

COMMITTED: Final = True
"""An array stays on the device where it is put."""


class Kind(NamedTuple):
    """What an array holds, as jaxlib asks for it."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    weak_type: bool = False


class Code(NamedTuple):
    """A compiled kernel. results: what it yields; places: which of them is which, None for what there is none of."""

    machine_code: bytes
    results: tuple[Kind, ...]
    places: tuple[Ended, Bins]


class Kernel:
    """A compiled kernel on the CPU. Safe to use from many threads; what one of them begins, the CPU does in order."""

    def __init__(self, code: Code) -> None:
        """Raises: what jaxlib raises, of whatever kind, if it is not the one that compiled it, or lacks a part."""
        self._cpu = _cpu()
        self._executable = self._cpu.load(code.machine_code)
        self._takers = [self._cpu.taker(kind) for kind in code.results]
        self._ended, self._bins = code.places

    def held(self, constants: Packed) -> tuple[Any, ...]:
        """These, as `run` takes them. It may be the same memory: nobody may write to it any more."""
        return tuple(self._cpu.put(array) for part in constants for array in part)

    def run(self, constants: tuple[Any, ...], paths: npt.NDArray[np.uint32]) -> tuple[Ended, Bins]:
        """What these paths will have yielded, as soon as they have begun."""
        results = self._executable.execute_sharded([*constants, self._cpu.put(paths)])
        arrays: list[Any] = results.consume_with_handlers(self._takers)
        return Ended(*_at(self._ended, arrays)), Bins(*_at(self._bins, arrays))


def _at(places: Iterable[Any], arrays: list[Any]) -> list[Any]:
    return [None if place is None else arrays[place] for place in places]


class _Cpu:
    """The CPU as a device of jaxlib. If jax is imported as well, it has another, which it compiles with."""

    def __init__(self) -> None:
        xla.prepare()
        jaxlib: Any = import_module("jaxlib._jax")
        _complete(jaxlib)
        client = jaxlib.get_tfrt_cpu_client(asynchronous=not _waits)
        device = client.devices()[0]
        self._here = jaxlib.SingleDeviceSharding(device), [device]
        self._devices = jaxlib.DeviceList((device,))
        self._client, self._jaxlib = client, jaxlib

    def load(self, machine_code: bytes) -> Any:
        return self._client.deserialize_executable(machine_code, self._devices)

    def put(self, array: npt.NDArray[Any]) -> Any:
        placed, devices = self._here
        kind = Kind(array.shape, array.dtype)
        return self._jaxlib.batched_device_put(kind, placed, [array], devices, COMMITTED, enable_x64=True)

    def taker(self, kind: Kind) -> Any:
        """What takes such a result of a kernel."""
        return self._jaxlib.array_result_handler(kind, self._here[0], committed=COMMITTED, _skip_checks=True)


def wait_for_every_call() -> None:
    """Has a call of a kernel return when it is done: for a process with one core. To be said before the first."""
    _waits[:] = [True]


_waits: Final[list[bool]] = []


@cache
def _one_cpu() -> _Cpu:
    return _Cpu()


def _cpu() -> _Cpu:
    """The only one of this process: another would have a pool of threads of its own."""
    with _guard:
        return _one_cpu()


_guard: Final = threading.Lock()


def _complete(jaxlib: Any) -> None:
    """Does for jaxlib what jax does for it when it is imported, and may have done; later it may do it again."""
    sharding = jaxlib.SingleDeviceSharding
    if "jax" not in sys.modules:
        jaxlib.jax_jit.set_enable_x64_state(jaxlib.config.Config("jax_enable_x64", True))  # noqa: FBT003 — its signature
    if not hasattr(sharding, "device_set"):
        everywhere = import_module("jaxlib._hlo").HloSharding.replicate()
        sharding._to_xla_hlo_sharding = lambda _, __: everywhere  # noqa: SLF001 — jax sets it as well
        sharding.device_set = property(lambda self: {self._device})
