"""The frame of a command: what its streams cannot hold, or cannot take, is told like every other mistake."""

from __future__ import annotations

import codecs
import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

FAILURE: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
_LIKE: Final = {
    alike: character
    for character, drawn in {
        ".": "░·…", ":": "▓", "=": "━", "-": "─–—−", "|": "│┤├", "+": "└┬┴┼╭╮╰╯", "~": "±", "x": "×", "*": "✓",
        "#": "█▉▊▋▌▍▎▏", "<": "≤", ">": "≥",
    }.items()
    for alike in drawn
}  # fmt: skip
"""A character of ASCII for what a report is drawn with."""
_NOT_WRITTEN: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


def framed(command: Callable[[], int], *, prefix: str) -> int:
    """Run a command; its exit code. `prefix` begins a line on standard error, such as "mcsim".

    Characters that an output's encoding lacks are replaced. A reader that leaves, such as `head`, ends the command, and
    so does Ctrl-C, without waiting for what threads still do.
    """
    if not _has_output(prefix):
        return FAILURE
    try:
        try:
            return command()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return _interrupted(prefix)
    except BrokenPipeError:
        _drop_the_rest()
        return FAILURE
    except UnicodeEncodeError as error:
        if error.encoding != "utf-8":
            raise
        sys.stderr.write(f"{prefix}: {error.object[:100]!r} is not text in UTF-8\n")
        return USAGE
    except OSError as error:
        if error.errno not in _NOT_WRITTEN or error.filename is not None:
            raise
        _drop_the_rest()
        sys.stderr.write(f"{prefix}: the output cannot be written: {error.strerror}\n")
        return FAILURE


def _has_output(prefix: str) -> bool:
    """Whether who began the process left it its standard output; else that is told, if standard error was left."""
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 — it stays until the process ends
    if sys.stdout is None:
        sys.stderr.write(f"{prefix}: the output cannot be written: standard output is closed\n")
        return False
    codecs.register_error("alike", _alike)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="alike")
    return True


def _interrupted(prefix: str) -> int:
    """Say so; the exit code. Python would wait for its threads, of which one may compile for half a minute."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stderr.write(f"{prefix}: interrupted\n")
    sys.stderr.flush()
    if threading.active_count() > 1:
        os._exit(INTERRUPTED)
    return INTERRUPTED


def _alike(error: UnicodeError) -> tuple[str, int]:
    """What is drawn by characters that there are everywhere; a question mark for what looks like none of them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_LIKE.get(each, "?") for each in error.object[error.start : error.end]), error.end


def _drop_the_rest() -> None:
    """So that Python does not fail over it once more when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
