"""Where mcsim begins: within its frame, so that it can be interrupted while the engine's libraries are imported."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

from riskio.commands import framed


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; 0 if it went well, 1 if its output cannot be written, 2 for a bad input, 130 if interrupted."""

    def command() -> int:
        run: Callable[[Sequence[str] | None], int] = importlib.import_module("simulator.command").run
        return run(arguments)

    return framed(command, prefix="mcsim")
