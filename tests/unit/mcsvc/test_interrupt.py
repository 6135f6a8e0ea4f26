"""Ctrl-C ends `mcsvc` as a process, whatever it is at: an import, or messages that come without a pause."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from montecarlo.v1 import simulation_pb2 as pb
from montecarlo.v1 import simulation_service_pb2 as api
from montecarlo.v1.simulation_service_pb2_grpc import (
    SimulationServiceServicer,
    add_SimulationServiceServicer_to_server,
)

WATCHERS = 4
IMPORTS = """
import builtins, sys
from mcsvc.__main__ import main
usual = builtins.__import__

def interrupted(name, *rest):
    if name.startswith("mcsvc.config"):
        raise KeyboardInterrupt
    return usual(name, *rest)

builtins.__import__ = interrupted
sys.exit(main(["get", "0"]))
"""


class Ceaseless(SimulationServiceServicer):
    """A simulation that always has news."""

    def WatchSimulation(self, request: Any, context: Any) -> Iterator[api.WatchSimulationResponse]:  # noqa: N802 — the name of the call
        simulation = pb.Simulation(id=request.id, state=pb.SIMULATION_STATE_RUNNING)
        while context.is_active():
            yield api.WatchSimulationResponse(simulation=simulation)


@pytest.fixture
def target() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(WATCHERS))
    add_SimulationServiceServicer_to_server(Ceaseless(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def test_an_interrupt_during_an_import_is_told_in_a_line() -> None:
    ended = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "error: interrupted\n")


def test_an_interrupt_among_messages_ends_a_watch(target: str) -> None:
    """Several at once, as each has but one moment to be hit at."""
    command = [sys.executable, "-m", "mcsvc", "watch", "some-id", "--server", target]
    with ExitStack() as stack:
        watchers = [
            stack.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE, text=True)) for _ in range(WATCHERS)
        ]
        for each in watchers:
            assert each.stderr is not None
            assert "fetching the inputs" in each.stderr.readline()
            each.send_signal(signal.SIGINT)
        for each in watchers:
            _, said = each.communicate(timeout=60)
            assert (each.returncode, "It goes on: mcsvc watch some-id" in said) == (130, True), said
