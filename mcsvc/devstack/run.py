"""One run of the stack: its directory, its mark, the processes it started, and the certainty that they end."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event, Lock

from mcsvc.devstack import family
from mcsvc.devstack.child import Child, Command
from mcsvc.devstack.errors import StackStopped
from mcsvc.devstack.reaper import Reaper

_GRACE_S = 12.0


class Run:
    """Starts processes and ends them all. `stop` is set when the start is to be called off."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self.directory = _make_directory()
        self.stop = Event()
        self.children: list[Child] = []
        self._lock = Lock()
        try:
            self._reaper = Reaper(self.id, self.directory)
        except OSError:
            self.directory.rmdir()
            raise

    def folder(self, name: str) -> Path:
        """A folder for a part's data."""
        path = self.directory / name
        path.mkdir(exist_ok=True)
        return path

    def spawn(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        user: int | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> Child:
        """Start a process with this one's environment, `env` and the run's mark. Raises StackStopped after `stop`."""
        command = Command(
            name=name,
            argv=argv,
            env={**os.environ, **(env or {}), family.MARKER: self.id, "PYTHONUNBUFFERED": "1"},
            log=self.directory / f"{name}.log",
            user=user,
            stop_signal=stop_signal,
        )
        with self._lock:
            if self.stop.is_set():
                raise StackStopped(f"{name}: start called off")
            child = Child(command)
            self.children.append(child)
            self._reaper.watch(child.pid)
        return child

    def spawn_module(self, name: str, module: str, *arguments: str, env: Mapping[str, str] | None = None) -> Child:
        """Start `python -m module` with the interpreter that runs this."""
        return self.spawn(name, [sys.executable, "-m", module, *arguments], env=env)

    def check(self) -> None:
        """Raises PartFailed if a part that should be running has ended."""
        for child in self.children:
            child.check()

    def has_logs(self) -> bool:
        """True if a part has been started and so has a log."""
        return any(self.directory.glob("*.log"))

    def close(self, *, keep_logs: bool = False) -> None:
        """End every process, the last started first, and remove the directory, or all but the logs in it."""
        with self._lock:
            self.stop.set()
        for child in reversed(self.children):
            child.stop(grace_s=_GRACE_S)
        family.end(family.members(self.id), grace_s=1)
        self._reaper.dismiss()
        if keep_logs:
            _remove_all_but_logs(self.directory)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


def _make_directory() -> Path:
    """A short path, for the length limit of UNIX sockets; others may pass through, for servers with another user."""
    short = Path("/tmp")  # noqa: S108 — mkdtemp makes an unguessable folder of our own in it
    parent = short if os.access(short, os.W_OK) else Path(tempfile.gettempdir())
    directory = Path(tempfile.mkdtemp(prefix="mcsvc-", dir=parent))
    directory.chmod(0o711)
    return directory


def _remove_all_but_logs(directory: Path) -> None:
    for path in directory.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
