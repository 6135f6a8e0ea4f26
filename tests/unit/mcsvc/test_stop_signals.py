"""A signal to stop is heard whichever thread the kernel gives it to, also while the main thread waits for a lock."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

TAKES = """
import os, signal, sys, time
from threading import Event, Thread, get_ident, main_thread
from mcsvc.stop_signals import set_on_signal

stop = Event()
set_on_signal(stop)
main = main_thread().native_id

def asleep():
    with open(f"/proc/self/task/{main}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "S"

def take():
    quiet = 0
    while quiet < 20:  # asleep for good, and not on its way into its wait
        quiet = quiet + 1 if asleep() else 0
        time.sleep(0.005)  # a thread tells nobody that it sleeps
    signal.pthread_kill(get_ident(), int(sys.argv[1]))

Thread(target=take, daemon=True).start()
stop.wait()
os._exit(7)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at threads in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_another_thread_takes_wakes_the_main_thread(number: signal.Signals) -> None:
    ended = subprocess.run([sys.executable, "-c", TAKES, str(int(number))], check=False, timeout=30)
    assert ended.returncode == 7
