"""The engine on Ray Serve against the engine alone, and two workers against one: the bits of all results agree."""

from __future__ import annotations

import json
import math
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil

from benchmarks.accounts import PATHS, account
from benchmarks.case import as_input, typical
from benchmarks.measure import side_by_side
from benchmarks.rows import Row, at_least, at_most
from benchmarks.runs import plan_of
from montecarlo.engine.v1 import engine_pb2, engine_pb2_grpc
from montecarlo.v1 import result_pb2
from simulator import crew, many, result

LARGE_PATHS = 16_000_000
"""Of 252 steps each: 4 * 10^9, so that it takes some seconds."""
SMALL_PATHS, SMALL_DAYS, SMALL_CALLS = 100_000, 60, 25
ACCOUNTS = 200
MOST_ROUNDS = 3
"""Of calls that take seconds."""
STARTS_WITHIN_S, STOPS_WITHIN_S, CALL_WITHIN_S = 180, 30, 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An app that serves: where, under which name, the address of its Ray, and a channel that stays open."""

    target: str
    application: str
    ray_address: str
    stub: engine_pb2_grpc.EngineServiceStub

    def simulate(self, message: engine_pb2.SimulateInput) -> result_pb2.SimulationResult:
        """One call, from its start to its result."""
        request = engine_pb2.SimulateRequest(input=message)
        *_, last = self.stub.Simulate(request, metadata=self._metadata, timeout=CALL_WITHIN_S)
        return last.result

    def simulate_many(self, messages: Sequence[engine_pb2.SimulateInput]) -> int:
        """Path-steps of all accounts."""
        request = engine_pb2.SimulateManyRequest(inputs=messages)
        responses = self.stub.SimulateMany(request, metadata=self._metadata, timeout=CALL_WITHIN_S)
        answers = [each for response in responses for each in response.answers]
        assert sorted(each.index for each in answers) == list(range(len(messages)))
        return sum(each.result.path_steps for each in answers)

    @contextmanager
    def under_way(self, message: engine_pb2.SimulateInput) -> Iterator[None]:
        """While a call is: from its first paths to its cancellation."""
        request = engine_pb2.SimulateRequest(input=message)
        call = self.stub.Simulate(request, metadata=self._metadata, timeout=CALL_WITHIN_S)
        try:
            next(response for response in call if response.progress.paths_done)
            yield
            assert call.is_active(), "the call ended before all was measured"
        finally:
            call.cancel()

    def worked_s(self) -> float:
        """Core-seconds that its workers have taken so far."""
        name = f"ServeReplica:{self.application}:Worker"
        times = [each.info["cpu_times"] for each in psutil.process_iter(["cmdline", "cpu_times"]) if _named(each, name)]
        return math.fsum(each.user + each.system for each in times)

    @property
    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (("application", self.application),)


def _named(process: psutil.Process, name: str) -> bool:
    return name in " ".join(process.info["cmdline"] or ())


def rows(threads: int, rounds: int) -> list[Row]:
    """Three apps on one Ray: `crowd` has a worker of one core for each thread, `lone` a single worker of one core, and
    `wide`, which is there after the others have been measured, one worker of as many cores as there are threads.
    """
    rounds = min(rounds, MOST_ROUNDS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mc-bench-")))
        token = secrets.token_hex(32)
        cpus = 2 * threads + 1
        crowd = stack.enter_context(_served(folder, token, "crowd", "--workers", threads, "--num-cpus", cpus))
        if threads == 1:
            return [*_over_the_engine(crowd, None, threads, rounds), _small(crowd), _many(crowd, threads, rounds)]
        port = crowd.target.rpartition(":")[2]
        joining = ("--address", crowd.ray_address, "--port", port)
        lone = stack.enter_context(_served(folder, token, "lone", "--workers", 1, *joining))
        found = [*_over_the_engine(crowd, lone, threads, rounds), _small(crowd), _many(crowd, threads, rounds)]
        wide = stack.enter_context(_served(folder, token, "wide", "--worker-cpus", threads, *joining))
        return [*found, _beside(wide, threads)]


def _over_the_engine(crowd: Served, lone: Served | None, threads: int, rounds: int) -> list[Row]:
    message = as_input(typical(LARGE_PATHS))
    worked: dict[str, list[float]] = {}

    def served_by(app: Served) -> result_pb2.SimulationResult:
        before = app.worked_s()
        answer = app.simulate(message)
        worked.setdefault(app.application, []).append(app.worked_s() - before)
        return answer

    calls: dict[str, Callable[[], object]] = {
        "engine": lambda: _alone(message, threads),
        "crowd": lambda: served_by(crowd),
    }
    if lone is not None:
        calls["lone"] = lambda: served_by(lone)
        calls["one thread"] = lambda: _alone(message, 1)
    timings = side_by_side(calls, rounds=rounds)
    assert len({_agreed(timing.answer) for timing in timings.values()}) == 1, "Ray Serve disagrees with the engine"
    seconds = {name: timing.best_s for name, timing in timings.items()}
    served = Row(
        key="serve_over_engine",
        what=f"Ray Serve, workers of 1 core: {threads}, over the engine's threads: {threads}; {seconds['crowd']:.1f} s",
        figure=seconds["crowd"] / seconds["engine"],
        unit="x time",
        goal=at_most(1.05),
    )
    if lone is None:
        return [served]
    roomy = Row(
        key="serve_over_one_thread",
        what="Ray Serve, a worker of 1 core, over one thread of the engine, with cores to spare",
        figure=seconds["lone"] / seconds["one thread"],
        unit="x time",
        goal=at_most(1.05),
    )
    room = len(os.sched_getaffinity(0)) > threads
    workers = Row(
        key="serve_workers",
        what=f"Ray Serve, {threads} workers of 1 core over one, {'cores to spare' if room else 'no core to spare'}",
        figure=seconds["lone"] / seconds["crowd"],
        unit="x",
        goal=at_least(0.95 * threads) if room else None,
    )
    shared = Row(
        key="serve_workers_cpu",
        what=f"Ray Serve, core-seconds of {threads} workers for a job over those of one",
        figure=min(worked["crowd"][1:]) / min(worked["lone"][1:]),
        unit="x",
        goal=at_most(1 / 0.95),
    )
    return [served, roomy, workers, shared]


def _small(served: Served) -> Row:
    return Row(
        key="serve_small_ms",
        what=f"Ray Serve, {SMALL_PATHS:,} paths of {SMALL_DAYS} steps, from call to result, median",
        figure=statistics.median(_small_calls_ms(served)),
        unit="ms",
        goal=at_most(60),
    )


def _beside(wide: Served, threads: int) -> Row:
    """Small calls one after the other, while a large simulation has the worker's cores, over small calls alone."""
    wide.simulate_many([account(number) for number in range(4 * threads)])  # then its processes are there
    alone = statistics.median(_small_calls_ms(wide))
    with wide.under_way(as_input(typical(100 * LARGE_PATHS))):
        beside = statistics.median(_small_calls_ms(wide))
    return Row(
        key="serve_small_beside",
        what=f"Ray Serve, {SMALL_PATHS:,} paths of {SMALL_DAYS} steps beside a large one, over alone; {beside:.0f} ms",
        figure=beside / alone,
        unit="x time",
        goal=at_most(3),
    )


def _small_calls_ms(served: Served) -> list[float]:
    """Each call is another account, so that nothing of it is known. Levels are as near as 60 steps may reach, or the
    breaches would be so few that they are estimated by themselves.
    """
    milliseconds = []
    for number in range(SMALL_CALLS + 1):
        message = as_input(typical(SMALL_PATHS, history=number))
        message.settings.horizon_days = SMALL_DAYS
        message.rules.max_drawdown.amount = "1500"
        message.rules.profit_target.amount = "2000"
        message.rules.ClearField("daily_loss")
        begin = time.perf_counter()
        found = served.simulate(message)
        milliseconds.append((time.perf_counter() - begin) * 1_000)
        assert found.paths == SMALL_PATHS
    return milliseconds[1:]


def _many(served: Served, threads: int, rounds: int) -> Row:
    messages = [account(number) for number in range(ACCOUNTS)]
    calls: dict[str, Callable[[], object]] = {
        "engine": lambda: sum(each.result.path_steps for each in many.simulate(messages, threads=threads)),
        "served": lambda: served.simulate_many(messages),
    }
    timings = side_by_side(calls, rounds=max(1, rounds // 2))
    assert timings["engine"].answer == timings["served"].answer
    return Row(
        key="serve_accounts",
        what=f"Ray Serve, {ACCOUNTS:,} accounts of {PATHS:,} paths, over the engine",
        figure=timings["served"].best_s / timings["engine"].best_s,
        unit="x time",
    )


def _alone(message: engine_pb2.SimulateInput, threads: int) -> result_pb2.SimulationResult:
    """All that a call does, in this process."""
    plan = plan_of(message)
    return result.build(plan, crew.simulate(plan, threads=threads), 0.0)


def _agreed(answer: object) -> bytes:
    """All of the result but for the time it took."""
    assert isinstance(answer, result_pb2.SimulationResult)
    timeless = result_pb2.SimulationResult()
    timeless.CopyFrom(answer)
    timeless.ClearField("elapsed_s")
    return timeless.SerializeToString(deterministic=True)


@contextmanager
def _served(folder: Path, token: str, name: str, *options: object) -> Iterator[Served]:
    """`python -m simulator.serve` in a process of its own, from its ready line to a clean end."""
    command = [
        sys.executable, "-m", "simulator.serve", "--name", name, "--port", "0", "--compile-cache", str(folder),
        *(str(option) for option in options),
    ]  # fmt: skip
    environment = os.environ | {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
    }
    ready = folder / f"{name}.json"
    log = folder / f"{name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--ready-file", str(ready)], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        about = _when_ready(process, ready, log)
        with grpc.insecure_channel(about["target"]) as channel:
            yield Served(
                target=about["target"],
                application=about["application"],
                ray_address=about["ray_address"],
                stub=engine_pb2_grpc.EngineServiceStub(channel),
            )
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _when_ready(process: subprocess.Popen[bytes], ready: Path, log: Path) -> dict[str, str]:
    """What its ready file says."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"The simulator did not start: {log.read_text(encoding='utf-8')[-4000:]}")
        time.sleep(0.1)
    about: dict[str, str] = json.loads(ready.read_text(encoding="utf-8"))
    return about
