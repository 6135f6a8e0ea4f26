"""Where compiled kernels are kept."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from simulator import command, compile_cache
from simulator.compile_cache import folder_for_this_machine


def test_compilations_for_unlike_processors_are_kept_apart(tmp_path: Path) -> None:
    for name, flags in (("old", "sse"), ("new", "sse avx"), ("busy", "sse")):
        clock = f"cpu MHz : {len(name)}\n"
        (tmp_path / name).write_text(f"model name : X\n{clock}flags : {flags}\n", encoding="utf-8")
    old, new, busy = (folder_for_this_machine(tmp_path, tmp_path / name) for name in ("old", "new", "busy"))
    assert old != new
    assert old == busy
    assert folder_for_this_machine(tmp_path, tmp_path / "absent").parent == tmp_path


@pytest.fixture
def nothing_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nothing is kept yet; a home folder of its own."""
    monkeypatch.setattr(compile_cache, "_kept", [])
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_command_line_keeps_kernels_in_the_users_own_folder(
    nothing_kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command.keep_kernels(None)
    assert compile_cache.kept_in() == folder_for_this_machine(nothing_kept / ".cache" / "mcsim")
    for given, used in (("relative", nothing_kept / ".cache"), (str(tmp_path / "xdg"), tmp_path / "xdg")):
        monkeypatch.setenv("XDG_CACHE_HOME", given)
        command.keep_kernels(None)
        assert compile_cache.kept_in() == folder_for_this_machine(used / "mcsim")


def test_where_there_can_be_no_usual_folder_nothing_is_kept_and_one_that_was_asked_for_must_be(
    nothing_kept: Path,
) -> None:
    nothing_kept.write_text("not a folder", encoding="utf-8")
    command.keep_kernels(None)
    command.keep_kernels("")
    assert compile_cache.kept_in() is None
    with pytest.raises(OSError, match="home"):
        command.keep_kernels(str(nothing_kept / "kernels"))


def test_what_nobody_used_for_long_is_thrown_away_in_the_folders_of_other_versions_too(tmp_path: Path) -> None:
    now = time.time()
    for place, days in (("jaxlib-1/kernel-old", 31), ("jaxlib-2/kernel-old", 31), ("jaxlib-2/kernel-new", 29)):
        file = tmp_path / place
        file.parent.mkdir(exist_ok=True)
        file.touch()
        os.utime(file, (now, now - days * 86_400))
    found_again = tmp_path / "jaxlib-2/kernel-found"
    found_again.touch()
    os.utime(found_again, (now, now - 31 * 86_400))
    compile_cache.used(found_again)
    compile_cache.sweep(tmp_path)
    assert sorted(each.name for each in tmp_path.glob("*/kernel-*")) == ["kernel-found", "kernel-new"]
    compile_cache.sweep(tmp_path, before=now + 60)
    assert not list(tmp_path.glob("*/kernel-*"))
