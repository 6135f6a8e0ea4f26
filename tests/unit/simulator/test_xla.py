"""What XLA is told: options that are given win, and it may use as many threads as the engine. And what it runs on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from simulator import xla


def test_given_options_win_and_others_are_kept() -> None:
    found = xla.flags("--xla_cpu_prefer_vector_width=128 --xla_dump_to=/x").split()
    assert found[:2] == ["--xla_cpu_prefer_vector_width=128", "--xla_dump_to=/x"]
    assert [each.partition("=")[0] for each in found[2:]] == ["--xla_backend_extra_options", "--xla_cpu_scheduler_type"]


def test_preparing_twice_adds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.setenv("MCSIM_THREADS", "3")
    monkeypatch.delenv("PJRT_NPROC", raising=False)
    xla.prepare()
    once = os.environ["XLA_FLAGS"]
    xla.prepare()
    assert os.environ["XLA_FLAGS"] == once
    assert os.environ["PJRT_NPROC"] == "3"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What was looked for among what is installed, of which there is nothing; nothing is known yet."""
    looked_for: list[str] = []
    monkeypatch.setattr(xla, "find_spec", looked_for.append)
    monkeypatch.setattr(xla, "entry_points", lambda group: looked_for.append(f"entry points of {group}"))
    for name in xla.LIBRARIES:
        monkeypatch.delenv(name, raising=False)
    xla.backend.cache_clear()
    yield looked_for
    xla.backend.cache_clear()


@pytest.mark.parametrize(
    ("platforms", "looked_for"), [("cpu", []), ("", ["jax_plugins", "libtpu", "entry points of jax_plugins"])]
)
def test_where_there_can_be_no_other_device_jax_is_not_asked(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, platforms: str, looked_for: list[str]
) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", platforms)
    monkeypatch.setitem(sys.modules, "jax", None)  # to import it would fail
    assert xla.backend() == xla.CPU
    assert asked == looked_for


@pytest.mark.parametrize("platforms", ["", "cpu"])
def test_jax_is_asked_where_it_has_been_imported(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, platforms: str
) -> None:
    """The environment may have been changed since."""
    monkeypatch.setenv("JAX_PLATFORMS", platforms)
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(default_backend=lambda: "gpu"))
    assert xla.backend() == "gpu"


@pytest.mark.parametrize("platforms", ["", "cuda", "cuda,cpu"])
@pytest.mark.parametrize("there", ["jax_plugins", "libtpu", "entry points", *xla.LIBRARIES])
def test_where_there_can_be_another_device_jax_is_asked_once_xla_has_been_told(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, platforms: str, there: str
) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", platforms)
    monkeypatch.setattr(xla, "find_spec", lambda name: name == there or None)
    monkeypatch.setattr(xla, "entry_points", lambda group: ["one"] if there == "entry points" else [])
    if there in xla.LIBRARIES:
        monkeypatch.setenv(there, "a path")
    monkeypatch.setenv("XLA_FLAGS", "")
    told: list[str] = []

    def default_backend() -> str:
        told.append(os.environ["XLA_FLAGS"])
        return "gpu"

    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(default_backend=default_backend))
    assert xla.backend() == "gpu"
    assert told == [xla.flags("")]
