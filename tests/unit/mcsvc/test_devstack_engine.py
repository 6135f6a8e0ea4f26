"""The engine as a part of the stack: a second try where Ray was impatient, and where compilations are kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mcsvc.devstack.child import Child
from mcsvc.devstack.engine import LocalEngine, compile_cache
from mcsvc.devstack.errors import PartFailed
from mcsvc.devstack.run import Run

IMPATIENT = "import sys; sys.exit('Exception: The current node timed out during startup. …')"
BROKEN = "import sys; sys.exit('ModuleNotFoundError: ray')"
READY = "import pathlib, signal, sys; pathlib.Path(sys.argv[-1]).touch(); signal.pause()"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run = Run()
    yield run
    run.close()


def script(monkeypatch: pytest.MonkeyPatch, *codes: str) -> list[tuple[str, ...]]:
    """Let each start of the engine run the next of these programs; the arguments it was started with."""
    programs, started = list(codes), []

    def spawn_module(self: Run, name: str, module: str, *words: str, env: Mapping[str, str] | None = None) -> Child:
        started.append((module, *words))
        return self.spawn(name, [sys.executable, "-c", programs.pop(0), *words], env=env)

    monkeypatch.setattr(Run, "spawn_module", spawn_module)
    return started


def test_the_engine_is_ready_once_it_says_so(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    started = script(monkeypatch, READY)
    engine = LocalEngine()
    assert engine.start(run, {}) == {"RAY_SERVE_URL": engine.url}
    assert [words[:3] for words in started] == [("simulator.serve", "--port", str(engine.port))]


def test_a_start_that_ray_gave_up_on_is_tried_once_more(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    assert len(script(monkeypatch, IMPATIENT, READY)) == 0
    assert LocalEngine().start(run, {})


def test_a_second_loss_of_patience_is_told(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    started = script(monkeypatch, IMPATIENT, IMPATIENT)
    with pytest.raises(PartFailed, match="exit code 1"):
        LocalEngine().start(run, {})
    assert len(started) == 2


def test_any_other_failure_is_told_at_once(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    started = script(monkeypatch, BROKEN, READY)
    with pytest.raises(PartFailed, match="exit code 1"):
        LocalEngine().start(run, {})
    assert len(started) == 1


def test_compilations_outlive_the_run_in_the_users_cache(run: Run, tmp_path: Path) -> None:
    assert compile_cache(run) == tmp_path / "montecarlo-risk" / "jax"


def test_without_a_user_cache_compilations_are_kept_for_the_run(
    monkeypatch: pytest.MonkeyPatch, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert compile_cache(run).parent == run.directory
