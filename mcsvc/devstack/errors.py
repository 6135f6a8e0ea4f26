"""What can go wrong while the stack starts, told with the remedy and the end of the part's log."""

from __future__ import annotations

from pathlib import Path


class StackError(Exception):
    """Base of every error of the stack. The message says the remedy."""


class PartFailed(StackError):
    """A part did not start, or ended on its own. `tail` holds the last lines of its log."""

    def __init__(self, message: str, *, log: Path, tail: str) -> None:
        super().__init__(message)
        self.log = log
        self.tail = tail


class StackStopped(StackError):
    """The start was called off because another part failed or the user interrupted."""
