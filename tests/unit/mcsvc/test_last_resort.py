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

UNREAD = """
from datetime import timedelta
from threading import Event, Thread
from mcsvc.last_resort import leave_after
from mcsvc.observability import logs
logs.configure("INFO")
stop = Event()
leave_after(stop, timedelta(milliseconds=100))

def fill():  # until nobody takes any more; the writer then holds the log's lock
    while True:
        logs.get_logger("full").info("x" * 4_000)

filling = Thread(target=fill)
filling.start()
filling.join(1)
stop.set()
"""
LEAVING = """
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from mcsvc.last_resort import leave
from mcsvc.observability import logs
logs.configure("INFO")
ThreadPoolExecutor(1).submit(Event().wait)
logs.get_logger("all").info("all_said")
leave(3)
"""


def test_a_thread_that_never_ends_is_named_in_the_log_and_does_not_keep_the_process() -> None:
    ended = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 0
    assert '"shutdown_overran"' in ended.stderr
    assert "never-ends" in ended.stderr


def test_a_log_that_nobody_reads_does_not_keep_the_process_either() -> None:
    with subprocess.Popen([sys.executable, "-c", UNREAD], stderr=subprocess.PIPE) as process:
        try:
            assert process.wait(30) == 0
        finally:
            process.kill()


def test_the_end_does_not_wait_for_the_thread_of_a_pool() -> None:
    ended = subprocess.run([sys.executable, "-c", LEAVING], capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 3
    assert '"all_said"' in ended.stderr
