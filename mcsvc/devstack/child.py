"""One process of the stack: its log, whether it is ready, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import psutil

from mcsvc.devstack import as_user, family
from mcsvc.devstack.errors import PartFailed, StackStopped

_POLL_S = 0.05
_TAIL_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run. `user` is the numeric user to run as, None for the caller; `stop_signal` asks for an orderly end."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    user: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM


def _argv(command: Command) -> Sequence[str]:
    if command.user is None:
        return command.argv
    return [sys.executable, "-I", "-S", as_user.__file__, str(command.user), *command.argv]


class Child:
    """A started process, in a session of its own, so that the terminal's Ctrl-C does not reach it."""

    def __init__(self, command: Command) -> None:
        self.command = command
        with command.log.open("ab") as log:
            self._popen = subprocess.Popen(  # noqa: S603 — the commands are this package's own
                _argv(command),
                env=dict(command.env),
                cwd=command.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.process = psutil.Process(self._popen.pid)
        self._may_end = False

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its session and group."""
        return int(self._popen.pid)

    def wait_ready(self, probe: Callable[[], bool], *, timeout_s: float, stop: Event) -> None:
        """Return once `probe` is true. Raises PartFailed when the process ends or is too slow, StackStopped on stop."""
        deadline = time.monotonic() + timeout_s
        while not probe():
            if self._popen.poll() is not None:
                raise self.failed(f"ended with exit code {self._popen.returncode}")
            if time.monotonic() > deadline:
                raise self.failed(f"was not ready within {timeout_s:.0f} s")
            if stop.wait(_POLL_S):
                raise StackStopped(f"{self.command.name}: start called off")

    def wait_done(self, *, timeout_s: float) -> None:
        """Wait for a command that ends by itself. Raises PartFailed unless it ends well."""
        self._may_end = True
        try:
            code = self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise self.failed(f"took longer than {timeout_s:.0f} s") from None
        if code != 0:
            raise self.failed(f"ended with exit code {code}")

    def running(self) -> bool:
        """True until the process has ended."""
        return self._popen.poll() is None

    def check(self) -> None:
        """Raises PartFailed if the process has ended though nobody asked it to."""
        if not self._may_end and not self.running():
            raise self.failed(f"ended with exit code {self._popen.returncode} while it was needed")

    def failed(self, what: str) -> PartFailed:
        """The error that says what happened, with the end of the log."""
        log = self.command.log
        message = f"{self.command.name} {what}. The end of {log} says why."
        return PartFailed(message, log=log, tail=self.tail())

    def tail(self) -> str:
        """The last lines of the log."""
        lines = self.command.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:])

    def ask_to_stop(self) -> None:
        """Send the orderly stop signal, if the process still runs."""
        self._may_end = True
        if self.running():
            os.kill(self.pid, self.command.stop_signal)

    def stop(self, *, grace_s: float) -> None:
        """Ask, wait, and after `grace_s` kill; what descends from it ends with it."""
        descendants = family.descendants(self.process)
        self.ask_to_stop()
        try:
            self._popen.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        family.end(descendants, grace_s=1)
