"""The commands that `mcsvc devstack` prints, run as they are printed, a group of lines in one shell."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import ACCOUNT, ASSESSMENT, Others

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.ray, pytest.mark.timeout(240)]
WAIT_S = 120.0
START = [sys.executable, "-m", "mcsvc", "devstack", "--grpc-port", "0", "--http-port", "0"]
SAMPLES = ["--sample-assessment", ASSESSMENT, "--sample-funded-account", ACCOUNT]
GRPCURL = "go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest"
ID = r"[0-9a-f]{8}-[0-9a-f-]{27}"
PENDING = rf'"id": "{ID}",\s+"state": "SIMULATION_STATE_PENDING".*ID={ID}\n'


@pytest.fixture(scope="module")
def printed(others: Others) -> Iterator[list[str]]:
    """What the stack prints when it stands; it runs while the tests do."""
    with subprocess.Popen(
        [*START, *SAMPLES],
        env=others.environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as devstack:  # fmt: skip
        assert devstack.stdout is not None
        lines: list[str] = []
        for line in devstack.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith("Ctrl-C"):
                break
        assert devstack.poll() is None, "\n".join(lines)
        yield lines
        devstack.send_signal(signal.SIGINT)
        rest = devstack.stdout.read()
    assert devstack.returncode == 0, rest


def _group(printed: list[str], heading: str) -> list[str]:
    """The lines below a heading."""
    first = next(number for number, line in enumerate(printed) if line.startswith(heading)) + 1
    return printed[first : printed.index("", first)]


def _outputs(lines: list[str]) -> list[str]:
    """What each line prints, and what ID is then. Every line must succeed, and so must each part of its pipes."""
    mark = "== next =="
    told = [f"{line}\nstatus=$?\necho; echo ID=$ID; echo '{mark}'; [ $status = 0 ] || exit 1" for line in lines]
    shell = subprocess.run(
        ["bash", "-o", "pipefail", "-c", "\n".join(["exec 2>&1", *told])],
        capture_output=True, text=True, timeout=WAIT_S, check=False,
    )  # fmt: skip
    assert shell.returncode == 0, shell.stdout[-4000:]
    return shell.stdout.split(f"{mark}\n")[:-1]


def _assert_prints(lines: list[str], claims: list[tuple[str, str]]) -> None:
    """Each claim: a word by which a line is known, and a pattern of what it prints. There is one for every line."""
    assert [word in line for line, (word, _) in zip(lines, claims, strict=True)] == [True] * len(lines)
    for line, output, (_, pattern) in zip(lines, _outputs(lines), claims, strict=True):
        assert re.search(pattern, output, re.DOTALL), f"{line}\n{output[-4000:]}"


def test_the_lines_of_the_own_command(printed: list[str]) -> None:
    claims = [
        ("export", r"\A\nID=\n"),
        ("mcsvc trigger", rf"Funded account {ACCOUNT}.*1,000,000.*Expected shortfall"),
        ("mcsvc publish-assessment", f"assessment {ASSESSMENT} to assessment.completed"),
        ("mcsvc list", rf"{ID} +succeeded +funded account {ACCOUNT}"),
    ]
    _assert_prints(_group(printed, "# The service's own command"), claims)


@pytest.mark.skipif(shutil.which("grpcurl") is None, reason=f"no grpcurl on the PATH: {GRPCURL}")
def test_the_lines_of_grpcurl(printed: list[str]) -> None:
    service = "montecarlo.v1.SimulationService"
    claims = [
        (" list", service),
        (" describe", r"rpc TriggerSimulation"),
        ("Health/Check", '"status": "SERVING"'),
        ("TriggerSimulation", PENDING),
        ("WatchSimulation", "SIMULATION_STATE_SUCCEEDED"),
        ("GetSimulation", r'SIMULATION_STATE_SUCCEEDED.*"outcomes"'),
        ("ListSimulations", r'"simulations": \[\s+\{\s+"id"'),
    ]
    _assert_prints(_group(printed, "# gRPC"), claims)


@pytest.mark.skipif(shutil.which("grpcurl") is None, reason=f"no grpcurl on the PATH: {GRPCURL}")
def test_the_lines_of_grpcurl_that_cancel(printed: list[str]) -> None:
    claims = [
        ("TriggerSimulation", PENDING),
        ("CancelSimulation", rf'"id": "{ID}",\s+"state": "SIMULATION_STATE_CANCELLED"'),
    ]
    _assert_prints(_group(printed, "# The same, of a long one"), claims)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on the PATH: install it with the system's packages")
def test_the_lines_of_curl(printed: list[str]) -> None:
    claims = [
        ("/health", '"status":"alive"'),
        ("/ready", '"ready":true'),
        ("-d '", PENDING),
        ("/simulations/", rf'"id": "{ID}", "state": "SIMULATION_STATE_(PENDING|RUNNING|SUCCEEDED)"'),
        ("?page_size=5", r'"simulations": \[\{"id"'),
        ("/metrics", r"mcsvc_dependency_up\{.*\} 1\.0"),
    ]
    _assert_prints(_group(printed, "# HTTP"), claims)
