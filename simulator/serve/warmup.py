"""What a worker does before its first chunk: find this machine's compile cache, compile the usual shapes into it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from simulator import codec, compile_cache, engine
from simulator.serve.settings import Settings
from simulator.serve.usual import usual_input

PATHS: Final = 2 * engine.FAN_PATHS


def compile_usual_shapes(settings: Settings) -> None:
    """Runs one block with the equity fan and one without. One worker of a host at a time: the others find it cached."""
    usual = usual_input(PATHS)
    plan = engine.plan(codec.decode(usual), codec.digest(usual))
    with _cache(settings.compile_cache):
        for block in (0, plan.blocks - 1):
            engine.run(plan, block, 1, threads=1)


@contextmanager
def _cache(root: str) -> Iterator[None]:
    if not root:
        yield
        return
    with (compile_cache.keep_in(Path(root)) / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
