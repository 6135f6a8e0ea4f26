"""Where the tests of this checkout keep compiled kernels: all processes of a run, and of the runs to come.

Compiling is half of what a first run does. A kernel is found only by the very source that it was compiled from, as
everywhere (`simulator.compiled`); tests of compiling itself have a folder of their own, or none.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from simulator import compile_cache

KERNELS: Final = Path(__file__).parents[1] / ".cache" / "kernels"
UNUSED_S: Final = 86_400
"""Each change of the engine makes kernels of its own, some 70 MB of them."""


def keep() -> None:
    """In this process too, unless the folder cannot be written: then each compiles for itself."""
    with suppress(OSError):
        compile_cache.keep_in(KERNELS)
        compile_cache.sweep(KERNELS, before=time.time() - UNUSED_S)
