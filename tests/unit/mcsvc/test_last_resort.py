"""A process that was told to stop ends, whatever still runs in it."""

from __future__ import annotations

import subprocess
import sys

STUCK = """
from datetime import timedelta
from threading import Event, Thread
from mcsvc.last_resort import leave_after
from mcsvc.observability import logs
logs.configure("INFO")
stop = Event()
leave_after(stop, timedelta(milliseconds=100))
Thread(target=Event().wait, name="never-ends").start()
stop.set()
"""


def test_a_thread_that_never_ends_is_named_in_the_log_and_does_not_keep_the_process() -> None:
    ended = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 0
    assert '"shutdown_overran"' in ended.stderr
    assert "never-ends" in ended.stderr
