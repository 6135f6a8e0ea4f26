"""What several tests of the engine share."""

from __future__ import annotations

import pytest

from simulator import compiled, kernel


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
