"""What every simulator promises, by the fake and by the client of Ray Serve over a scripted engine on real gRPC."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest

from mcsvc.adapters.memory.simulator import Checkpoint, Hang, ScriptedSimulator, Step, fails_with
from mcsvc.adapters.ray_serve import RayServeSimulator
from mcsvc.app.snapshot import build_snapshot
from mcsvc.domain.errors import EngineRejected, EngineUnavailable, RunStopped, Violation
from mcsvc.domain.job import Progress
from mcsvc.domain.subject import Settings
from mcsvc.observability.tracing import span
from mcsvc.ports.simulator import Simulator, Watcher
from montecarlo.v1 import result_pb2
from tests.job_samples import RULES, TRADES
from tests.mcsvc_harness import Recorder
from tests.scripted_engine import ScriptedEngine, serving

WAIT = timedelta(seconds=10)
SNAPSHOT = build_snapshot(TRADES, RULES, None, Settings(paths=500))


@dataclass
class Told:
    """What a watcher was told."""

    progress: list[Progress] = field(default_factory=list)
    checkpoints: list[tuple[bytes, Progress]] = field(default_factory=list)

    def watcher(self) -> Watcher:
        return Watcher(
            on_progress=self.progress.append,
            on_checkpoint=lambda data, progress: self.checkpoints.append((data, progress)),
        )


@dataclass
class Subject:
    """A simulator and where its scripts go."""

    simulator: Simulator
    scripts: list[list[Step]]


@pytest.fixture(params=["memory", "ray_serve"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """Each simulator in turn."""
    if request.param == "memory":
        fake = ScriptedSimulator()
        yield Subject(fake, fake.scripts)
        return
    engine, recorder = ScriptedEngine(), Recorder()
    with serving(engine) as port:
        client = RayServeSimulator(f"127.0.0.1:{port}", recorder.tracer, recorder.metrics)
        yield Subject(client, engine.scripts)
        client.close()


def run(simulator: Simulator, stop: Event | None = None, told: Told | None = None, **changed: Any) -> Any:
    arguments = {"resume_from": b"", "timeout": WAIT, **changed}
    watcher = (told or Told()).watcher()
    return simulator.run(SNAPSHOT, stop=stop or Event(), watcher=watcher, **arguments)


def test_a_run_tells_its_progress_and_ends_in_a_result(subject: Subject) -> None:
    subject.scripts.append([100, Checkpoint(data=b"c", paths_done=200), 300])
    told = Told()
    result = run(subject.simulator, told=told)
    assert result.paths == 500
    assert [each.paths_done for each in told.progress] == [100, 300]
    assert told.progress[0].paths_total == 500
    assert told.checkpoints == [(b"c", Progress(paths_done=200, paths_total=500))]


def test_a_bad_input_is_rejected_with_its_fields(subject: Subject) -> None:
    bad = [Violation(field="trades[0].pnl", description="is not a number")]
    subject.scripts.extend(fails_with(EngineRejected(bad, more=7)))
    with pytest.raises(EngineRejected, match="others: 7 more fields are bad") as caught:
        run(subject.simulator)
    assert (caught.value.violations, caught.value.more) == (bad, 7)


def test_a_busy_engine_says_when_to_come_back(subject: Subject) -> None:
    subject.scripts.extend(fails_with(EngineUnavailable("busy", retry_after=timedelta(seconds=7), away=True)))
    with pytest.raises(EngineUnavailable) as caught:
        run(subject.simulator)
    assert (caught.value.retry_after, caught.value.away) == (timedelta(seconds=7), True)


def test_a_stop_ends_the_run_within_two_seconds(subject: Subject) -> None:
    hang, stop = Hang(), Event()
    subject.scripts.append([hang])
    raised: list[Exception] = []

    def attempt() -> None:
        try:
            run(subject.simulator, stop=stop)
        except RunStopped as error:
            raised.append(error)

    thread = Thread(target=attempt)
    thread.start()
    assert hang.begun.wait(WAIT.total_seconds())
    asked = time.monotonic()
    stop.set()
    thread.join(WAIT.total_seconds())
    assert len(raised) == 1
    assert time.monotonic() - asked < 2


def test_what_a_callback_raises_ends_the_run(subject: Subject) -> None:
    def refuse(_: Progress) -> None:
        raise KeyError("mine")

    subject.scripts.append([100, 200])
    watcher = Watcher(on_progress=refuse, on_checkpoint=lambda *_: None)
    with pytest.raises(KeyError):
        subject.simulator.run(SNAPSHOT, resume_from=b"", timeout=WAIT, stop=Event(), watcher=watcher)


def test_it_answers(subject: Subject) -> None:
    subject.simulator.ping()


def _stopped(simulator: Simulator, stop: Event) -> None:
    with suppress(RunStopped):
        run(simulator, stop=stop)


class Engine:
    """The client of Ray Serve and its scripted engine."""

    def __init__(self, stack: ExitStack) -> None:
        self.recorder = Recorder()
        self.engine = ScriptedEngine()
        self.serving = ExitStack()
        self.port = self.serving.enter_context(serving(self.engine))
        self.client = RayServeSimulator(f"127.0.0.1:{self.port}", self.recorder.tracer, self.recorder.metrics)
        stack.callback(self.client.close)
        stack.callback(self.serving.close)


@pytest.fixture
def ray() -> Iterator[Engine]:
    """The client of Ray Serve alone."""
    with ExitStack() as stack:
        yield Engine(stack)


def test_the_call_is_routed_traced_and_counted(ray: Engine) -> None:
    with span(ray.recorder.tracer, "job.run") as outer:
        trace_id = f"{outer.get_span_context().trace_id:032x}"
        run(ray.client, resume_from=b"checkpoint")
    [metadata] = ray.engine.metadata
    assert metadata["application"] == "simulator"
    assert metadata["traceparent"].split("-")[1] == trace_id
    assert ray.engine.requests[0].resume_from == b"checkpoint"
    assert ray.recorder.counts("mcsvc.engine.path_steps") == {"": 500}


def test_a_stop_and_a_raising_callback_free_the_engine(ray: Engine) -> None:
    hang, stop = Hang(), Event()
    ray.engine.scripts.append([hang])
    thread = Thread(target=_stopped, args=(ray.client, stop))
    thread.start()
    assert hang.begun.wait(WAIT.total_seconds())
    stop.set()
    assert ray.engine.cut_off.acquire(timeout=2), "the engine was not told within 2 s"
    thread.join(WAIT.total_seconds())

    def refuse(_: Progress) -> None:
        raise KeyError("mine")

    ray.engine.scripts.append([100, Hang()])
    watcher = Watcher(on_progress=refuse, on_checkpoint=lambda *_: None)
    with pytest.raises(KeyError):
        ray.client.run(SNAPSHOT, resume_from=b"", timeout=WAIT, stop=Event(), watcher=watcher)
    assert ray.engine.cut_off.acquire(timeout=2), "the engine was not told within 2 s"


def test_an_overdue_run_is_unavailable_and_frees_the_engine(ray: Engine) -> None:
    ray.engine.scripts.append([Hang()])
    with pytest.raises(EngineUnavailable, match="out of time"):
        run(ray.client, timeout=timedelta(milliseconds=200))
    assert ray.engine.cut_off.acquire(timeout=2)


def test_a_run_that_is_stopped_already_does_not_reach_the_engine(ray: Engine) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(RunStopped):
        run(ray.client, stop=stop)
    assert ray.engine.requests == []


def test_an_engine_that_breaks_off_is_not_taken_for_one_that_is_away(ray: Engine) -> None:
    hang = Hang()
    ray.engine.scripts.append([hang])
    closing = Thread(target=lambda: hang.begun.wait(WAIT.total_seconds()) and ray.serving.close())
    closing.start()
    with pytest.raises(EngineUnavailable) as caught:
        run(ray.client)
    assert not caught.value.away
    closing.join(WAIT.total_seconds())


def test_a_stream_without_a_result_is_unavailable(ray: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.scripted_engine.scripted_result", lambda *_: None)
    with pytest.raises(EngineUnavailable, match="without a result"):
        run(ray.client)


def test_an_engine_that_is_away_is_unavailable_and_found_again(ray: Engine) -> None:
    ray.client.ping()
    ray.serving.close()
    for ask in (ray.client.ping, lambda: run(ray.client)):
        with pytest.raises(EngineUnavailable, match="RAY_SERVE_URL") as caught:
            ask()
        assert caught.value.away
    with serving(ray.engine, ray.port):
        deadline = time.monotonic() + WAIT.total_seconds()
        while True:
            try:
                result: result_pb2.SimulationResult = run(ray.client)
                break
            except EngineUnavailable:
                assert time.monotonic() < deadline
        assert result.paths == 500
