"""Generates the Python stubs and their type stubs from protos/ into generated/, or with --check proves them fresh."""

from __future__ import annotations

import filecmp
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "protos"
TARGET = ROOT / "generated"


def generate(target: Path) -> None:
    """Write the stubs of every proto file below `target`. Raises SystemExit if protoc fails."""
    well_known = str(files("grpc_tools") / "_proto")
    protos = sorted(str(path.relative_to(SOURCES)) for path in SOURCES.rglob("*.proto"))
    arguments = ["protoc", f"-I{SOURCES}", f"-I{well_known}"]
    plugins = Path(sys.executable).parent
    arguments += [f"--plugin=protoc-gen-{kind}={plugins}/protoc-gen-{kind}" for kind in ("mypy", "mypy_grpc")]
    arguments += [f"--{kind}_out={target}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    if protoc.main([*arguments, *protos]) != 0:
        raise SystemExit("protoc failed")
    _drop_empty_services(target)
    for folder in [path for path in target.rglob("*") if path.is_dir()]:
        (folder / "__init__.py").touch()


def _drop_empty_services(target: Path) -> None:
    """Files without a service need no gRPC stubs; protoc writes empty ones all the same."""
    for stub in target.rglob("*_pb2_grpc.py*"):
        source = SOURCES / stub.relative_to(target).parent / f"{stub.name.split('_pb2')[0]}.proto"
        if "\nservice " not in source.read_text():
            stub.unlink()


def differences(left: Path, right: Path) -> list[str]:
    """Relative paths of the files that differ between two trees, or are in one only."""
    names = {
        str(path.relative_to(tree))
        for tree in (left, right)
        for path in tree.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return sorted(n for n in names if not _same(left / n, right / n))


def _same(left: Path, right: Path) -> bool:
    return left.exists() and right.exists() and filecmp.cmp(left, right, shallow=False)


def main() -> int:
    """Regenerate, or with --check compare with what is committed."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        if "--check" in sys.argv:
            stale = differences(fresh, TARGET)
            if stale:
                sys.stderr.write("stale in generated/: " + ", ".join(stale) + ". Run `make proto`.\n")
            return 1 if stale else 0
        shutil.rmtree(TARGET, ignore_errors=True)
        shutil.copytree(fresh, TARGET)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
