"""The processes of the stack: awaited, ended in good order, and gone even when their starter is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import psutil
import pytest

from mcsvc.devstack import family
from mcsvc.devstack.child import Child
from mcsvc.devstack.errors import PartFailed, StackStopped
from mcsvc.devstack.run import Run

STUBBORN = "import signal,sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
PATIENT = "import signal; print('up', flush=True); signal.pause()"
STRAYING = f"import subprocess,sys; subprocess.Popen([sys.executable,'-c',{PATIENT!r}],start_new_session=True).wait()"


@pytest.fixture
def run() -> Iterator[Run]:
    run = Run()
    yield run
    run.close()


def start(run: Run, code: str, name: str = "part") -> Child:
    return run.spawn(name, [sys.executable, "-c", code])


def wait_until_up(run: Run, child: Child) -> None:
    child.wait_ready(lambda: "up" in child.tail(), timeout_s=20, stop=run.stop)


def test_a_part_that_ends_while_starting_fails_with_the_end_of_its_log(run: Run) -> None:
    child = start(run, "import sys; print('no such database'); sys.exit(3)")
    with pytest.raises(PartFailed, match="exit code 3") as caught:
        child.wait_ready(lambda: False, timeout_s=20, stop=Event())
    assert "no such database" in caught.value.tail
    assert str(caught.value.log) in str(caught.value)


def test_a_part_that_is_never_ready_fails_after_its_time(run: Run) -> None:
    child = start(run, PATIENT)
    with pytest.raises(PartFailed, match="not ready within"):
        child.wait_ready(lambda: False, timeout_s=0.05, stop=Event())


def test_waiting_ends_when_the_start_is_called_off(run: Run) -> None:
    child = start(run, PATIENT)
    run.stop.set()
    with pytest.raises(StackStopped):
        child.wait_ready(lambda: False, timeout_s=20, stop=run.stop)


def test_nothing_is_started_once_the_start_is_called_off(run: Run) -> None:
    run.stop.set()
    with pytest.raises(StackStopped):
        start(run, PATIENT)


def test_a_part_that_ends_by_itself_is_noticed(run: Run) -> None:
    child = start(run, "pass")
    child.process.wait(20)
    with pytest.raises(PartFailed, match="while it was needed"):
        run.check()


def test_a_part_that_was_asked_to_end_is_not_missed(run: Run) -> None:
    child = start(run, PATIENT)
    wait_until_up(run, child)
    child.stop(grace_s=10)
    run.check()


def test_a_part_that_ignores_the_stop_signal_is_killed(run: Run) -> None:
    child = start(run, STUBBORN)
    wait_until_up(run, child)
    child.stop(grace_s=0.1)
    assert not child.running()


def test_closing_a_run_ends_processes_that_left_their_session_and_removes_the_directory(run: Run) -> None:
    child = start(run, STRAYING)
    wait_until_up(run, child)
    strays = family.descendants(child.process)
    assert len(strays) == 1
    run.close()
    assert not psutil.wait_procs([child.process, *strays], timeout=0)[1]
    assert not run.directory.exists()


def test_closing_a_run_may_keep_the_logs(run: Run) -> None:
    run.folder("data")
    child = start(run, PATIENT)
    wait_until_up(run, child)
    run.close(keep_logs=True)
    assert [path.name for path in run.directory.iterdir()] == ["part.log"]
    child.command.log.unlink()
    run.directory.rmdir()


def test_other_users_may_pass_through_the_run_directory_but_not_list_it(run: Run) -> None:
    assert run.directory.stat().st_mode & 0o077 == 0o011


STARTER = f"""
    import os, signal, sys
    from mcsvc.devstack.run import Run
    run = Run()
    child = run.spawn("part", [sys.executable, "-c", {STRAYING!r}])
    child.wait_ready(lambda: "up" in child.tail(), timeout_s=20, stop=run.stop)
    print(run.id, run.directory, flush=True)
    signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_starter_leaves_neither_processes_nor_files(number: signal.Signals) -> None:
    command = [sys.executable, "-c", textwrap.dedent(STARTER)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        run_id, directory = starter.stdout.readline().split()
        members = family.members(run_id) | family.descendants(psutil.Process(starter.pid))
        os.kill(starter.pid, number)
    assert len(members) == 3  # the part, its stray child, and the watchman
    assert not psutil.wait_procs(list(members), timeout=20)[1]
    assert not Path(directory).exists()
