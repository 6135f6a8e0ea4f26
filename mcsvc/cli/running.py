"""How a verb is run: imported when needed, its errors told in one line, its exit code given.

0 is success, 1 a failure outside the command, 2 a mistake in what was given, 130 and 143 an end by Ctrl-C and SIGTERM.
"""

from __future__ import annotations

import importlib
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from riskio import commands

USAGE, FAILURE = commands.USAGE, commands.FAILURE
LINES = "\n       "
"""Between the lines of a message, so that they stand below one another."""


class CliError(Exception):
    """The verb cannot do what was asked. The message says the remedy."""

    def __init__(self, message: str, *, exit_code: int = FAILURE) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Interrupted(KeyboardInterrupt):
    """The process was asked to end, by Ctrl-C, SIGTERM or SIGHUP."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def run_verb(module: str, args: Namespace) -> int:
    """Run a verb's module and turn what it raises into an exit code."""
    try:
        with interrupts():
            run: Callable[[Namespace], int] = importlib.import_module(module).run
            return run(args)
    except CliError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except Interrupted as interrupt:
        return interrupt.exit_code
    except ModuleNotFoundError as error:
        sys.stderr.write(f"error: {error.name} is not installed. This verb needs the extra `devstack`.\n")
        return FAILURE


@contextmanager
def interrupts() -> Iterator[None]:
    """The first signal to end raises Interrupted; further ones are ignored, so that clearing up is not disturbed."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
