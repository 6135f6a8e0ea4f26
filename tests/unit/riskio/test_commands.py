"""The frame of a command, in real processes: outputs that are full, closed, or of few characters, and an interrupt."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SAYS = """
import sys
from riskio.commands import framed

def command():
    print({text})
    return {code}

sys.exit(framed(command, prefix="told"))
"""

WAITS = "threading.Event().wait()"


def run(text: str, *, code: int = 0, encoding: str = "utf-8", output: str = "") -> tuple[int, bytes, str]:
    """The exit code, standard output and standard error of a command that prints this expression."""
    command = [sys.executable, "-c", SAYS.format(text=text, code=code)]
    environ = {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(Path.cwd())}
    if output:
        with Path(output).open("wb") as opened:
            ended = subprocess.run(command, stdout=opened, stderr=subprocess.PIPE, env=environ, check=False, timeout=60)
    else:
        ended = subprocess.run(command, capture_output=True, env=environ, check=False, timeout=60)
    return ended.returncode, ended.stdout or b"", ended.stderr.decode()


def test_a_command_keeps_its_exit_code_and_its_output() -> None:
    assert run("'─ 5 ± 1'", code=3) == (3, "─ 5 ± 1\n".encode(), "")


def test_what_an_encoding_lacks_is_drawn_by_what_it_has() -> None:
    assert run("'├ 5 ± 1 ░▓━█ ≤ 你'", encoding="ascii") == (0, b"| 5 ~ 1 .:=# < ?\n", "")
    assert run("'5 ± 1 ─'", encoding="latin-1") == (0, b"5 \xb1 1 -\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which Linux has")
@pytest.mark.parametrize("length", [1, 1_000_000])
def test_a_full_disk_is_told_once_and_fails(length: int) -> None:
    code, _, said = run(f"'x' * {length}", output="/dev/full")
    assert (code, said) == (1, "told: the output cannot be written: No space left on device\n")


def test_a_reader_that_leaves_ends_the_command_in_silence() -> None:
    command = [sys.executable, "-c", SAYS.format(text="'x' * 1_000_000", code=0)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"PYTHONPATH": str(Path.cwd())}
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(60) == 1


def test_an_argument_that_is_no_text_is_told() -> None:
    text = "'a\\udcff'.encode()"
    assert run(text) == (2, b"", "told: 'a\\udcff' is not text in UTF-8\n")


def test_what_a_protocol_cannot_hold_is_no_matter_of_an_argument_and_is_not_shown() -> None:
    code, _, said = run("'s3cré'.encode('ascii')")
    assert code == 1
    assert "UnicodeEncodeError" in said
    assert "s3cr" not in said.splitlines()[-1]


@pytest.mark.parametrize("beside", ["", "threading.Thread(target=threading.Event().wait).start()"])
def test_an_interrupt_is_told_in_a_line_and_waits_for_no_thread(beside: str) -> None:
    command = f"import threading\n{SAYS}".replace(
        "print({text})", f"{beside}\n    print('on', flush=True)\n    {WAITS}"
    )
    with subprocess.Popen(
        [sys.executable, "-c", command.format(code=0)], env={"PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stdout.readline() == "on\n"
        running.send_signal(signal.SIGINT)
        assert running.communicate(timeout=60) == ("", "told: interrupted\n")
    assert running.returncode == 130


@pytest.mark.parametrize(
    ("closed", "told"),
    [(">&-", "told: the output cannot be written: standard output is closed\n"), (">&- 2>&-", "")],
)
def test_an_output_that_is_closed_is_told_where_it_can_be(closed: str, told: str) -> None:
    shell = ["sh", "-c", f'"$0" -c "$1" {closed}', sys.executable, SAYS.format(text="5", code=0)]
    ended = subprocess.run(shell, capture_output=True, env={"PYTHONPATH": str(Path.cwd())}, check=False, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr.decode()) == (1, b"", told)


def test_a_command_without_standard_error_keeps_its_output_for_itself() -> None:
    shell = ["sh", "-c", '"$0" -c "$1" 2>&-', sys.executable, SAYS.format(text="5, file=sys.stderr", code=3)]
    ended = subprocess.run(shell, capture_output=True, env={"PYTHONPATH": str(Path.cwd())}, check=False, timeout=60)
    assert (ended.returncode, ended.stdout) == (3, b"")
