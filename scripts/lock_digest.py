"""Ties the requirement files to pyproject.toml: prints the digest of its dependency tables, or checks the files.

`python scripts/lock_digest.py` prints the digest; with `--check` it exits 1 if a requirement file was compiled from
other tables. Needs no network.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def digest() -> str:
    """SHA-256 over everything that decides the resolution, shortened to 16 hex digits."""
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = tables["project"]
    inputs = {
        "requires-python": project["requires-python"],
        "dependencies": project["dependencies"],
        "optional-dependencies": project["optional-dependencies"],
        "dependency-groups": tables["dependency-groups"],
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


def main() -> int:
    """Print the digest, or with --check compare it with the header of every requirement file."""
    if "--check" not in sys.argv:
        sys.stdout.write(digest() + "\n")
        return 0
    files = sorted((ROOT / "requirements").glob("*.txt"))
    stale = [path.name for path in files if digest() not in path.read_text().splitlines()[1]]
    if stale or not files:
        sys.stderr.write(f"out of step with pyproject.toml: {', '.join(stale) or 'no files'}. Run `make lock`.\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
