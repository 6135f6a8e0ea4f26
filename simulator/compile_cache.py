"""Keeps compiled kernels in a folder, so that a later process of this machine need not compile them again."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

CPU_FACTS: Final = ("model name", "flags", "Features", "CPU part")
UNUSED_S: Final = 30 * 86_400
"""What nobody has used for so long is thrown away: each version of the package, or of jaxlib, makes its own kernels."""


def of_the_user() -> Path:
    """Where a user's programs keep what they can make again. Raises: RuntimeError for a user without a home."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "mcsim"


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


def used(file: Path) -> None:
    """Notes that a kernel was found, so that it stays."""
    with suppress(OSError):
        os.utime(file)


def sweep(root: Path, *, before: float | None = None) -> None:
    """Throws away what has been used last before this time, or long ago, in all folders below `root`."""
    least = time.time() - UNUSED_S if before is None else before
    for file in root.glob("*/kernel-*"):
        with suppress(OSError):  # another process may do the same
            if file.stat().st_mtime < least:
                file.unlink()


def kept_in() -> Path | None:
    """The folder of `keep_in`; None if compilations are not kept."""
    return _kept[0] if _kept else None


_kept: Final[list[Path]] = []
