"""What is compiled is found again, by other threads and by later processes, and nothing else is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import jax
import pytest

from simulator import compile_cache, compiled, engine
from simulator.spec import Settings
from tests.unit.simulator.samples import plan_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where compiled kernels are kept, for this test alone; nothing is compiled yet."""
    monkeypatch.setattr(compile_cache, "_kept", [])
    compiled.forget()
    return compile_cache.keep_in(tmp_path)


def small_plan() -> engine.Plan:
    return replace(plan_of(Settings(paths=64, seed=3)), block_paths=64)


def test_a_kept_kernel_is_found_without_tracing_and_gives_the_same_bytes(folder: Path, traces: list[object]) -> None:
    first = engine.run(small_plan(), 0, 1).to_bytes()
    compiled.forget()
    assert engine.run(small_plan(), 0, 1).to_bytes() == first
    assert len(traces) == 1


@pytest.mark.parametrize("damage", [b"not a kernel", None])
def test_a_file_that_cannot_be_used_is_made_again(folder: Path, traces: list[object], damage: bytes | None) -> None:
    first = engine.run(small_plan(), 0, 1).to_bytes()
    [kept] = folder.glob("kernel-*")
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    compiled.forget()
    assert engine.run(small_plan(), 0, 1).to_bytes() == first
    assert len(traces) == 2
    assert len(kept.read_bytes()) > len(whole) // 2


def test_a_folder_that_cannot_be_written_changes_nothing(folder: Path) -> None:
    first = engine.run(small_plan(), 0, 1).to_bytes()
    shutil.rmtree(folder)
    compiled.forget()
    assert engine.run(small_plan(), 0, 1).to_bytes() == first
    assert compile_cache.kept_in() == folder


def test_beside_a_folder_of_jax_nothing_is_kept(folder: Path) -> None:
    config = cast("Any", jax.config)
    config.update("jax_compilation_cache_dir", str(folder / "of-jax"))
    try:
        assert compiled._file("any kernel") is None
    finally:
        config.update("jax_compilation_cache_dir", None)


def test_other_source_is_another_kernel(folder: Path, traces: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    engine.run(small_plan(), 0, 1)
    compiled.forget()
    monkeypatch.setattr(compiled, "_program", lambda: "another version of this package")
    engine.run(small_plan(), 0, 1)
    assert len(traces) == 2
    assert len(list(folder.glob("kernel-*"))) == 2


def test_threads_that_need_one_kernel_trace_it_once(folder: Path, traces: list[object]) -> None:
    together = threading.Barrier(4)

    def run() -> None:
        together.wait()
        engine.run(small_plan(), 0, 1, threads=1)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(traces) == 1


def test_another_process_finds_it_under_the_same_name(folder: Path) -> None:
    engine.run(small_plan(), 0, 1)
    [kept] = folder.glob("kernel-*")
    code = (
        "import sys, pathlib; from tests.unit.simulator.test_compiled import small_plan, engine, compile_cache;"
        "compile_cache.keep_in(pathlib.Path(sys.argv[1])); engine.run(small_plan(), 0, 1)"
    )
    written = kept.stat().st_mtime_ns
    subprocess.run([sys.executable, "-c", code, str(folder.parent)], check=True, timeout=100)
    assert list(folder.glob("kernel-*")) == [kept]
    assert kept.stat().st_mtime_ns == written
