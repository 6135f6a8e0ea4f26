"""Keeps compiled kernels in a folder, so that a later process of this machine need not compile them again."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Final

CPU_FACTS: Final = ("model name", "flags", "Features", "CPU part")


def folder_for_this_machine(root: Path, cpuinfo: Path = Path("/proc/cpuinfo")) -> Path:
    """A folder of its own for each jaxlib and each kind of CPU: code compiled for another CPU may crash on this one."""
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    kinds = sorted({line for line in lines if line.startswith(CPU_FACTS)})
    kind = hashlib.sha256("\n".join(kinds).encode()).hexdigest()[:12]
    return root / f"jaxlib-{version('jaxlib')}-{kind}"


def keep_in(root: Path) -> Path:
    """Has this process keep and look for compilations below `root`; the folder it uses. Raises: OSError."""
    folder = folder_for_this_machine(root)
    folder.mkdir(parents=True, exist_ok=True)
    _kept[:] = [folder]
    return folder


def kept_in() -> Path | None:
    """The folder of `keep_in`; None if compilations are not kept."""
    return _kept[0] if _kept else None


_kept: Final[list[Path]] = []
