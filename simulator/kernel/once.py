"""Has XLA compute something once that several loops read.

XLA's CPU backend emits one loop for each array, and computes a cheap producer again in every loop that reads it,
however many steps it has; an optimization barrier is dropped before that is decided. What a branch yields is stored.
So the producer is put behind a branch that is always taken, which the compiler cannot know. Other backends need no
such help.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax

Found = TypeVar("Found")


def once(always: jax.Array, what: Callable[..., Found], *operands: object) -> Found:
    """`what(*operands)`, an array or a pytree of arrays, as the operands are. always: bool[], traced, and true."""

    def behind_a_branch(*operands: object) -> Found:
        nothing = jax.tree.map(lambda like: jnp.zeros(like.shape, like.dtype), jax.eval_shape(what, *operands))
        found: Found = lax.cond(always, what, lambda *_: nothing, *operands)
        return found

    found: Found = lax.platform_dependent(*operands, cpu=behind_a_branch, default=what)
    return found
