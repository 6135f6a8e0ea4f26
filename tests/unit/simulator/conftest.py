"""What several tests of the engine share."""

from __future__ import annotations

import pytest

from simulator import compiled
from simulator.device import Device, Running, Stretch
from simulator.kernel import block
from simulator.shape import Shape


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows by one whenever the kernel is traced, and so compiled; nothing is compiled yet."""
    compiled.forget()
    seen: list[object] = []
    start = block._start

    def noted(shape: Shape, job: block.Job) -> block.Loop:
        seen.append(shape)
        return start(shape, job)

    monkeypatch.setattr(block, "_start", noted)
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
