"""Nothing that was started outlives the one that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psutil

from simulator.serve import processes

PARENT = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {child!r}]).returncode)"
CHILD = "import sys; print('up', flush=True); sys.stdin.read()"


@contextmanager
def parent_and_child() -> Iterator[tuple[subprocess.Popen[bytes], psutil.Process]]:
    """A process that waits for its child, which waits for its stdin to close."""
    command = [sys.executable, "-c", PARENT.format(child=CHILD)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        [child] = psutil.Process(parent.pid).children()
        yield parent, child


def test_a_process_that_does_not_end_is_killed() -> None:
    with parent_and_child() as (parent, child):
        assert processes.descendants(parent.pid) == {child.pid}

        with processes.ended(below=parent.pid, within=timedelta(seconds=0.05)):
            pass

        assert parent.wait(timeout=10) == -signal.SIGKILL % 256
        assert not child.is_running()


def test_a_process_that_ends_by_itself_is_left_to_end() -> None:
    with parent_and_child() as (parent, _):
        assert parent.stdin is not None
        with processes.ended(below=parent.pid, within=timedelta(seconds=30)):
            parent.stdin.close()

        assert parent.wait(timeout=10) == 0


def test_all_generations_are_below() -> None:
    with parent_and_child() as (parent, child):
        assert {parent.pid, child.pid} <= processes.descendants(os.getpid())
        parent.kill()
        child.kill()
