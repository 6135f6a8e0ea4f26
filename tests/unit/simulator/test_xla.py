"""What XLA is told: options that are given win, and it may use as many threads as the engine."""

from __future__ import annotations

import os

import pytest

from simulator import xla


def test_given_options_win_and_others_are_kept() -> None:
    found = xla.flags("--xla_cpu_prefer_vector_width=128 --xla_dump_to=/x").split()
    assert found[:2] == ["--xla_cpu_prefer_vector_width=128", "--xla_dump_to=/x"]
    assert len(found) == len(set(found)) == 3


def test_preparing_twice_adds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.setenv("MCSIM_THREADS", "3")
    monkeypatch.delenv("PJRT_NPROC", raising=False)
    xla.prepare()
    once = os.environ["XLA_FLAGS"]
    xla.prepare()
    assert os.environ["XLA_FLAGS"] == once
    assert os.environ["PJRT_NPROC"] == "3"
