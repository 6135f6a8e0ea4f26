"""Compiles the block kernel of a shape."""

from __future__ import annotations

from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy.typing as npt
from jax import lax

from simulator import compile_cache, xla
from simulator.ended import Bins, Ended
from simulator.kernel.block import Job, run_block
from simulator.native import Code, Kind
from simulator.packing import ARRAY, Layout, Packed, filled
from simulator.shape import Shape


def run_packed(shape: Shape, layout: Layout, constants: Packed, paths: jax.Array) -> tuple[Ended, Bins]:
    """`run_block` of packed arguments. paths: uint32[4], the two words of the key, the first path, and how many."""
    tables, levels, fan = unpacked(layout, constants)
    job = Job(
        tables=tables, levels=levels, fan=fan, key=paths[:2], first_path=paths[2], paths=paths[3].astype(jnp.int32)
    )
    return run_block(shape, job)


def unpacked(layout: Layout, packed: Packed) -> Any:
    """The tree of which this is the packed form, while a function of it is traced."""
    arrays = iter(packed.arrays)
    numbers = {
        dtype: iter([lax.index_in_dim(vector, place, keepdims=False) for place in range(vector.size)])
        for dtype, vector in zip(layout.dtypes, packed.numbers, strict=True)
    }
    return filled(layout.structure, lambda kind: next(arrays) if kind == ARRAY else next(numbers[kind]))


class CannotSerialise(Exception):
    """What jax has read from a folder of its own, it cannot serialise: functions are missing then."""

    def __str__(self) -> str:
        return "jax keeps compilations itself, see JAX_COMPILATION_CACHE_DIR"


class Compiled:
    """A kernel that jax runs."""

    def __init__(self, shape: Shape, layout: Layout, constants: Packed, paths: npt.NDArray[Any]) -> None:
        """For arguments of these shapes and dtypes."""
        _keep_on_other_devices()

        def run(constants: Packed, paths: jax.Array) -> tuple[Ended, Bins]:
            return run_packed(shape, layout, constants, paths)

        # Of a function of its own, for jax holds what it compiled of a function as long as there is the function.
        with jax.enable_x64(True):  # noqa: FBT003 — jax's own signature
            self._compiled = cast("Any", jax.jit(run, keep_unused=True)).lower(constants, paths).compile()

    def held(self, constants: Packed) -> Packed:
        """These, as `run` takes them: on the device."""
        with jax.enable_x64(True):  # noqa: FBT003 — jax's own signature
            return cast("Packed", jax.device_put(constants))

    def run(self, constants: Packed, paths: npt.NDArray[Any]) -> tuple[Ended, Bins]:
        """What these paths will have yielded."""
        with jax.enable_x64(True):  # noqa: FBT003 — jax's own signature
            found: tuple[Ended, Bins] = self._compiled(constants, paths)
            return found

    def code(self) -> Code:
        """What `simulator.native` runs. Raises: CannotSerialise, and what jax raises of its own."""
        if _keeps_itself():
            raise CannotSerialise
        results, structure = jax.tree.flatten(self._compiled.out_info)
        return Code(
            machine_code=self._compiled.runtime_executable().serialize(),
            results=tuple(Kind(each.shape, each.dtype) for each in results),
            places=jax.tree.unflatten(structure, range(len(results))),
        )


def _keep_on_other_devices() -> None:
    """Where kernels cannot be kept as on CPUs, has jax keep compilations, in the same folder."""
    folder, config = compile_cache.kept_in(), cast("Any", jax.config)
    if folder is not None and xla.backend() != xla.CPU and not _keeps_itself():
        config.update("jax_compilation_cache_dir", str(folder))
        config.update("jax_persistent_cache_min_compile_time_secs", 0)


def _keeps_itself() -> bool:
    return bool(cast("Any", jax.config).jax_compilation_cache_dir)
