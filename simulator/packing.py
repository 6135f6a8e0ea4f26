"""A tree of numbers and arrays in few arrays: a compiled function takes microseconds for each that it is handed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Structure: TypeAlias = str | tuple[type, tuple["Structure", ...]] | None
"""Of a leaf: the character of a number's dtype, or ARRAY. Of a tuple: its type, and of what is in it."""
ARRAY: Final = ""


class Packed(NamedTuple):
    """numbers: those of each dtype as one vector, in the order of the dtypes' characters; arrays: as they were."""

    numbers: tuple[npt.NDArray[Any], ...]
    arrays: tuple[npt.NDArray[Any], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where in the tree each comes from."""

    structure: Structure

    @property
    def kinds(self) -> tuple[str, ...]:
        """The dtype's character of each leaf that is a number, ARRAY for an array."""
        return tuple(_kinds(self.structure))

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Those of numbers, in the order of `Packed`."""
        return tuple(sorted({kind for kind in self.kinds if kind != ARRAY}))


def packed(tree: Any) -> tuple[Layout, Packed]:
    """The leaves of a tree of tuples, numpy's scalars and arrays; None is a tree without leaves."""
    sorts: dict[str, list[Any]] = {}
    layout = Layout(_sorted_out(tree, sorts))
    arrays = tuple(sorts.pop(ARRAY, ()))
    numbers = tuple(np.fromiter(sorts[dtype], dtype, len(sorts[dtype])) for dtype in sorted(sorts))
    return layout, Packed(numbers=numbers, arrays=arrays)


def _sorted_out(tree: Any, sorts: dict[str, list[Any]]) -> Structure:
    """The tree's structure; its leaves are appended to those of their kinds."""
    if tree is None:
        return None
    if isinstance(tree, tuple):
        return type(tree), tuple([_sorted_out(each, sorts) for each in tree])
    kind = ARRAY if tree.ndim else tree.dtype.char
    sorts.setdefault(kind, []).append(tree)
    return kind


def _kinds(structure: Structure) -> Iterator[str]:
    if isinstance(structure, str):
        yield structure
    elif structure is not None:
        for each in structure[1]:
            yield from _kinds(each)


def filled(structure: Structure, leaf: Callable[[str], Any]) -> Any:
    """The tree of this structure; `leaf` is asked for each leaf in order, and told its kind."""
    if structure is None:
        return None
    if isinstance(structure, str):
        return leaf(structure)
    kind, within = structure
    parts = [filled(each, leaf) for each in within]
    return tuple(parts) if kind is tuple else kind(*parts)
