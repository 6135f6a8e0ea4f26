"""What several tests of the engine share."""

from __future__ import annotations

import pytest

from simulator import compiled, kernel
from simulator.device import Device, Running, Stretch


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows by one whenever the kernel is traced, and so compiled; nothing is compiled yet."""
    compiled.forget()
    seen: list[object] = []
    start = kernel._start

    def noted(shape: kernel.Shape, job: kernel.Job) -> kernel.Loop:
        seen.append(shape)
        return start(shape, job)

    monkeypatch.setattr(kernel, "_start", noted)
    return seen


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[Stretch]:
    """What any device has been told to run, in order."""
    run, told = Device.run, list[Stretch]()

    def noted(device: Device, stretch: Stretch) -> Running:
        told.append(stretch)
        return run(device, stretch)

    monkeypatch.setattr(Device, "run", noted)
    return told
