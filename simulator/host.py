"""What is handed to a compiled function from the host."""

from __future__ import annotations

from typing import cast

import jax
import numpy as np
import numpy.typing as npt


def handed(values: npt.NDArray[np.generic] | np.generic) -> jax.Array:
    """The same array. A compiled function takes it as it is, and a job hands over forty: to make an array of jax of
    each of them first would cost more than a small simulation.
    """
    return cast("jax.Array", values)
