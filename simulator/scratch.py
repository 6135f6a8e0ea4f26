"""Room for what is counted, one a thread: a fresh array of some megabytes costs more than to fill it."""

from __future__ import annotations

import threading
from typing import Final

import numpy as np
import numpy.typing as npt


class Scratch(threading.local):
    """Arrays with anything in them; the thread's next call may write over what the last one gave."""

    def __init__(self) -> None:
        """No room yet."""
        self._places, self._weights = np.empty(0, np.int64), np.empty(0, np.float64)

    def of(self, size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Two of this size, as `numpy.bincount` takes them: places, and weights."""
        if self._places.size < size:
            self._places, self._weights = np.empty(size, np.int64), np.empty(size, np.float64)
        return self._places[:size], self._weights[:size]


scratch: Final = Scratch()
