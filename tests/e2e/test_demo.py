"""`mcsvc demo`, the README's first promise: everything starts, both reports are printed, nothing is left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

COMMAND = [sys.executable, "-m", "mcsvc", "demo"]
PR_SET_CHILD_SUBREAPER = 36

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt its orphans"),
]


@pytest.fixture
def left_behind() -> Iterator[Callable[[], list[str]]]:
    """What still lives of the processes started since: orphans come to this process instead of to init."""
    adopt = ctypes.CDLL(None).prctl
    adopt(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = set(psutil.Process().children(recursive=True))

    def living() -> list[str]:
        since = set(psutil.Process().children(recursive=True)) - before
        for process in since:
            if process.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(process.pid, os.WNOHANG)
        return [str(process) for process in since if process.is_running()]

    yield living
    adopt(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def test_the_demo_prints_both_reports_and_leaves_nothing_behind(left_behind: Callable[[], list[str]]) -> None:
    demo = subprocess.run(COMMAND, capture_output=True, text=True, check=False)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    for words in ("Assessment asm-lucky-001", "Funded account acc-trend-001"):
        assert words in demo.stdout
    for words in (
        "95% interval",
        "Value at risk",
        "Expected shortfall",
        "Days to breach",
        "Balance over time",
        "Time:",
    ):
        assert demo.stdout.count(words) >= 2
    assert demo.stdout.count("start-up") == 0
    assert demo.stdout.count("All ready after") == 1
    assert demo.stderr == ""
    assert left_behind() == []


def test_ctrl_c_while_the_parts_start_leaves_nothing_behind(left_behind: Callable[[], list[str]]) -> None:
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        assert demo.stdout is not None
        seen = next(line for line in demo.stdout if line.startswith("✓"))
        demo.send_signal(signal.SIGINT)
        rest = demo.stdout.read()
    assert demo.returncode == 130, seen + rest
    assert "Every part is stopped" in rest
    assert left_behind() == []
