"""`python as_user.py UID COMMAND…`: becomes another user, then the command.

`subprocess` could do it, but would then fork instead of vfork: the fork handlers of libraries in a process with many
threads (gRPC's among them) run in the child, and may abort it.
"""

from __future__ import annotations

import os
import sys


def main(arguments: list[str]) -> None:
    """Never returns. Raises OSError if the command cannot be run."""
    user, command = int(arguments[0]), arguments[1:]
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    os.execv(command[0], command)  # noqa: S606 — the commands are this package's own, by their full paths


if __name__ == "__main__":
    main(sys.argv[1:])
