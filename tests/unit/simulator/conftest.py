"""What several tests of the engine share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simulator import compile_cache, compiled, xla
from simulator.device import Device, Running, Stretch
from simulator.kernel import block
from simulator.shape import Shape

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder; the hook is given all that are collected."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.engine)


@pytest.fixture
def nothing_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, nor kept where it would be found; and nothing is kept."""
    monkeypatch.setattr(compile_cache, "_kept", [])
    compiled.forget()


@pytest.fixture
def traces(nothing_compiled: None, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows by one whenever the kernel is traced, and so compiled; nothing is compiled yet."""
    seen: list[object] = []
    start = block._start

    def noted(shape: Shape, job: block.Job) -> block.Loop:
        seen.append(shape)
        return start(shape, job)

    monkeypatch.setattr(block, "_start", noted)
    return seen


@pytest.fixture
def pretend_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on plans run as on a GPU, and nothing is kept: there jax would do it, and go on to for other tests."""

    def pretend() -> None:
        monkeypatch.setattr(xla, "backend", lambda: "gpu")
        monkeypatch.setattr(compile_cache, "_kept", [])

    return pretend


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[Stretch]:
    """What any device has been told to run, in order."""
    run, told = Device.run, list[Stretch]()

    def noted(device: Device, stretch: Stretch) -> Running:
        told.append(stretch)
        return run(device, stretch)

    monkeypatch.setattr(Device, "run", noted)
    return told
