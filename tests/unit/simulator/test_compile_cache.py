"""Where compiled kernels are kept."""

from __future__ import annotations

from pathlib import Path

from simulator.compile_cache import folder_for_this_machine


def test_compilations_for_unlike_processors_are_kept_apart(tmp_path: Path) -> None:
    for name, flags in (("old", "sse"), ("new", "sse avx"), ("busy", "sse")):
        clock = f"cpu MHz : {len(name)}\n"
        (tmp_path / name).write_text(f"model name : X\n{clock}flags : {flags}\n", encoding="utf-8")
    old, new, busy = (folder_for_this_machine(tmp_path, tmp_path / name) for name in ("old", "new", "busy"))
    assert old != new
    assert old == busy
    assert folder_for_this_machine(tmp_path, tmp_path / "absent").parent == tmp_path
