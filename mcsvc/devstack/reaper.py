"""A watchman that ends a run's processes when the process that started them dies without doing so, even by SIGKILL.

It reads a pipe whose other end only the starter holds: a line with a process id for each part, at last `done`. If the
pipe closes without `done`, everything that belongs to the run is ended and its directory removed.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from mcsvc.devstack import family

_DONE = "done"
_GRACE_S = 3.0


class Reaper:
    """The starter's end of the pipe."""

    def __init__(self, run_id: str, directory: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603 — this very module
            [sys.executable, "-m", "mcsvc.devstack.reaper", run_id, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        if self._process.stdin is None:
            raise RuntimeError("Popen gave no pipe though one was asked for.")
        self._pipe = self._process.stdin

    def watch(self, pid: int) -> None:
        """From now on `pid` and its descendants end with the starter."""
        self._tell(str(pid))

    def dismiss(self) -> None:
        """All is ended in good order: the watchman may go."""
        if self._pipe.closed:
            return
        self._tell(_DONE)
        with suppress(BrokenPipeError):
            self._pipe.close()
        self._process.wait(timeout=10)

    def _tell(self, line: str) -> None:
        with suppress(BrokenPipeError):  # a watchman killed by hand: the starter still ends its own
            self._pipe.write(line + "\n")
            self._pipe.flush()


def watch_until_done(run_id: str, directory: Path) -> None:
    """Read the pipe to its end; unless it ended with `done`, end the run."""
    leaders: list[psutil.Process] = []
    for line in sys.stdin:
        if line.strip() == _DONE:
            return
        if psutil.pid_exists(int(line)):
            leaders.append(psutil.Process(int(line)))
    family.end(family.members(run_id, leaders), grace_s=_GRACE_S)
    family.end(family.members(run_id), grace_s=0)
    shutil.rmtree(directory, ignore_errors=True)


def main() -> None:
    """Ignore every polite signal: the terminal's Ctrl-C is for the starter, whose end is what counts here."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watch_until_done(sys.argv[1], Path(sys.argv[2]))


if __name__ == "__main__":
    main()
