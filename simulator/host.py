"""What is handed to a compiled function from the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import jax


def handed(values: npt.NDArray[np.generic] | np.generic) -> jax.Array:
    """The same array. A compiled function takes it as it is: to make an array of jax of it first would take longer."""
    return cast("jax.Array", values)
