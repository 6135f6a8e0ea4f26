"""A tree of numbers and arrays in few arrays: a compiled function takes microseconds for each that it is handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax

from simulator.host import handed


class Packed(NamedTuple):
    """numbers: those of each dtype as one vector, in the order of the dtypes' names; arrays: as they were."""

    numbers: tuple[jax.Array, ...]
    arrays: tuple[jax.Array, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where in the tree each comes from. kinds: the dtype of each leaf that is a number, None for an array."""

    structure: Any
    kinds: tuple[str | None, ...]

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Those of numbers, in the order of `Packed`."""
        return tuple(sorted({kind for kind in self.kinds if kind}))


def packed(tree: Any) -> tuple[Layout, Packed]:
    """The leaves of a tree, numpy's scalars and arrays."""
    leaves, structure = jax.tree.flatten(tree)
    layout = Layout(structure, tuple(None if leaf.ndim else leaf.dtype.name for leaf in leaves))
    sorts: dict[str | None, list[Any]] = {kind: [] for kind in (None, *layout.dtypes)}
    for leaf, kind in zip(leaves, layout.kinds, strict=True):
        sorts[kind].append(leaf)
    arrays = sorts.pop(None)
    numbers = tuple(handed(np.fromiter(sorts[dtype], dtype, len(sorts[dtype]))) for dtype in layout.dtypes)
    return layout, Packed(numbers=numbers, arrays=tuple(arrays))


def unpacked(layout: Layout, packed: Packed) -> Any:
    """The tree of which this is the packed form, while a function of it is traced."""
    arrays = iter(packed.arrays)
    numbers = {
        dtype: iter([lax.index_in_dim(vector, place, keepdims=False) for place in range(vector.size)])
        for dtype, vector in zip(layout.dtypes, packed.numbers, strict=True)
    }
    leaves = [next(arrays) if kind is None else next(numbers[kind]) for kind in layout.kinds]
    return jax.tree.unflatten(layout.structure, leaves)
