"""Finds and ends every process of one run of the stack, however far it has strayed.

A run is marked by an environment variable, which processes inherit even when they leave their session. Servers that
overwrite their environment block (PostgreSQL, Redis) are found as the leaders that were started and their descendants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

MARKER = "MCSVC_DEVSTACK_RUN"


def members(run_id: str, leaders: Iterable[psutil.Process] = ()) -> set[psutil.Process]:
    """Every living process marked with `run_id`, and the leaders with all that descends from them."""
    found = {process for process in psutil.process_iter() if _marker(process) == run_id}
    for leader in leaders:
        found |= {leader, *descendants(leader)} if leader.is_running() else set()
    return found


def descendants(leader: psutil.Process) -> set[psutil.Process]:
    """Children, their children, and so on; none if the leader is gone."""
    try:
        return set(leader.children(recursive=True))
    except psutil.Error:
        return set()


def end(processes: Iterable[psutil.Process], *, grace_s: float) -> None:
    """Ask each process to stop, then kill those that are still there after `grace_s`."""
    asked = list(processes)
    for process in asked:
        _quietly(process.terminate)
    _, stubborn = psutil.wait_procs(asked, timeout=grace_s)
    for process in stubborn:
        _quietly(process.kill)
    psutil.wait_procs(stubborn, timeout=5)


def _marker(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARKER)
    except (psutil.Error, OSError):
        return None


def _quietly(action: Callable[[], object]) -> None:
    with suppress(psutil.Error):
        action()
