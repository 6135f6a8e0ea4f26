"""What is compiled is found again, by other threads and by later processes, and nothing else is."""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import jax
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

from simulator import compile_cache, compiled, engine, launching, native, packing
from simulator.device import Device
from simulator.spec import Model, Settings
from tests.unit.simulator.samples import plan_of


@pytest.fixture
def folder(tmp_path: Path, nothing_compiled: None) -> Path:
    """Where compiled kernels are kept, for this test alone; nothing is compiled yet."""
    return compile_cache.keep_in(tmp_path)


def small_plan(paths: int = 64) -> engine.Plan:
    """Of one block; with another number of paths it takes another kernel."""
    return replace(plan_of(Settings(paths=paths, seed=3)), block_paths=paths)


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


def test_beside_a_folder_of_jax_nothing_is_kept(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = engine.run(small_plan(), 0, 1).to_bytes()
    [kept] = folder.glob("kernel-*")
    kept.unlink()
    compiled.forget()
    config = cast("Any", jax.config)
    least_s = config.jax_persistent_cache_min_compile_time_secs
    config.update("jax_compilation_cache_dir", str(folder / "of-jax"))
    config.update("jax_persistent_cache_min_compile_time_secs", 0)
    try:
        assert engine.run(small_plan(), 0, 1).to_bytes() == first
    finally:
        config.update("jax_compilation_cache_dir", None)
        config.update("jax_persistent_cache_min_compile_time_secs", least_s)
        compilation_cache.reset_cache()  # jax would go on to read there
    assert not list(folder.glob("kernel-*"))
    assert "JAX_COMPILATION_CACHE_DIR" in caplog.text


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


def test_kernels_that_were_not_used_for_longest_are_let_go(
    traces: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "_most", [])
    compiled.hold_at_most(2)

    def compilations(paths: int) -> int:
        before = len(traces)
        engine.run(small_plan(paths), 0, 1)
        return len(traces) - before

    assert [compilations(paths) for paths in (8, 16, 8, 32)] == [1, 1, 0, 1]
    assert compiled.count() == 2
    assert [compilations(paths) for paths in (8, 32, 16)] == [0, 0, 1]


@pytest.mark.compiling
@pytest.mark.usefixtures("nothing_compiled")
def test_a_kernel_that_is_let_go_is_freed_and_one_that_is_held_takes_its_memory_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Linux lets a process map memory so often and no oftener, and XLA ends a process that wants more."""

    def mappings() -> int:
        launching.loaded.cache_clear()
        gc.collect()
        return len(Path("/proc/self/maps").read_bytes().splitlines())

    def grown(kernels: int) -> int:
        before = mappings()
        for paths in range(8, 8 + kernels):
            engine.run(small_plan(paths), 0, 1)
        return mappings() - before

    engine.run(small_plan(7), 0, 1)
    prepared = Device(small_plan(7))._of_fan
    before = mappings()
    kernel = compiled._by_jax(prepared)
    of_one = mappings() - before
    del kernel
    assert of_one > 20
    assert grown(4) < 5 * of_one
    monkeypatch.setattr(compiled, "_most", [1])
    assert grown(4) < of_one


def test_another_process_finds_it_under_the_same_name(folder: Path) -> None:
    engine.run(small_plan(), 0, 1)
    [kept] = folder.glob("kernel-*")
    code = (
        "import sys, pathlib; from tests.unit.simulator.test_compiled import small_plan, engine, compile_cache;"
        "compile_cache.keep_in(pathlib.Path(sys.argv[1])); engine.run(small_plan(), 0, 1)"
    )
    written = kept.stat().st_ino
    subprocess.run([sys.executable, "-c", code, str(folder.parent)], check=True, timeout=100)
    assert list(folder.glob("kernel-*")) == [kept]
    assert kept.stat().st_ino == written


def test_only_the_kernel_imports_jax() -> None:
    """Neither do those who plan and keep books pay for it, nor those who run kernels that are kept."""
    code = (
        "import importlib, pkgutil, simulator, sys;"
        "[importlib.import_module(f'simulator.{each.name}')"
        " for each in pkgutil.iter_modules(simulator.__path__) if not each.ispkg];"
        "from simulator.serve import ingress, worker;"
        "print('simulator.compiled' in sys.modules, 'jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "False"]


IN_ITS_OWN_PROCESS = """
import hashlib, pathlib, sys
from simulator import compile_cache, engine, launching
from simulator.spec import Model, Settings
from tests.unit.simulator.samples import plan_of
compile_cache.keep_in(pathlib.Path(sys.argv[1]))
plan = plan_of(Settings(paths=300, seed=3, model=Model(sys.argv[2])))
digest = lambda: hashlib.sha256(engine.run(plan, 0, plan.blocks).to_bytes()).hexdigest()
print(digest(), "jax" in sys.modules)
import jax, jax.numpy
jax.jit(lambda x: x + 1)(jax.numpy.arange(3))
launching.loaded.cache_clear()
print(digest())
"""


@pytest.mark.compiling
@pytest.mark.parametrize("model", [Model.IID, Model.STUDENT_T])
def test_a_kept_kernel_runs_without_jax_and_beside_it(folder: Path, model: Model) -> None:
    """A fitted model takes 64-bit numbers, which jax is slow to believe in: by itself it makes 32-bit ones of them."""

    def lines() -> list[str]:
        command = [sys.executable, "-c", IN_ITS_OWN_PROCESS, str(folder.parent), model.value]
        return subprocess.run(command, check=True, timeout=100, capture_output=True, text=True).stdout.split()

    compiling, finding = lines(), lines()
    assert compiling[1:2] + finding[1:2] == ["True", "False"]
    assert {compiling[0], compiling[2], finding[0], finding[2]} == {compiling[0]}


def test_without_jax_a_block_yields_what_it_yields_by_jax() -> None:
    prepared = Device(small_plan()).usual
    by_jax = compiled._by_jax(prepared)
    paths = compiled.where((1, 2), 5, 60)
    kernel = native.Kernel(by_jax.code())
    ours, theirs = kernel.run(kernel.held(prepared.constants), paths), by_jax.run(prepared.constants, paths)
    assert (ours[0].fan, ours[0].phase) == (theirs[0].fan, theirs[0].phase) == (None, None)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert np.asarray(one).dtype == other.dtype
        assert np.array_equal(one, other)


class Door:
    """A lock before which all of some threads have come before any of them is let through."""

    def __init__(self, threads: int) -> None:
        self._all_here = threading.Barrier(threads)
        self._lock = threading.Lock()
        self.passed = 0

    def __enter__(self) -> None:
        self._all_here.wait(timeout=20)
        self._lock.acquire()
        self.passed += 1

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_threads_that_load_kernels_at_once_share_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    door = Door(4)

    def make() -> object:
        made.append(threading.current_thread().name)
        return object()

    monkeypatch.setattr(native, "_Cpu", make)
    monkeypatch.setattr(native, "_guard", door)
    native._one_cpu.cache_clear()
    with ThreadPoolExecutor(4) as pool:
        found = {id(each.result()) for each in [pool.submit(native._cpu) for _ in range(4)]}
    native._one_cpu.cache_clear()
    assert (door.passed, len(made), len(found)) == (4, 1, 1)


class OfAnotherVersion:
    """A kernel whose results are no arrays of numbers."""

    def __init__(self, code: native.Code) -> None:
        """Whatever was compiled."""

    def held(self, constants: packing.Packed) -> tuple[object, ...]:
        return ()

    def run(self, constants: object, paths: object) -> tuple[list[object], list[object]]:
        return [object(), None], [None]


def lacking(code: native.Code) -> object:
    raise AttributeError("module 'jaxlib._jax' has no attribute 'array_result_handler'")


@pytest.mark.parametrize("kernel", [OfAnotherVersion, lacking])
def test_where_jaxlib_lacks_a_part_jax_runs_kernels_and_says_why(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kernel: object
) -> None:
    first = engine.run(small_plan(), 0, 1).to_bytes()
    compiled.forget()
    monkeypatch.setattr(native, "Kernel", kernel)
    assert engine.run(small_plan(), 0, 1).to_bytes() == first
    assert "imports jax to run them" in caplog.text
