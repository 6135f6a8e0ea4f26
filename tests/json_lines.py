"""What a process says in lines of JSON on a pipe, as Ray prints there too."""

from __future__ import annotations

import queue
import subprocess


def forward(process: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
    """Puts each such line in the queue, and an empty one at the end."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            lines.put(line)
    lines.put("")
