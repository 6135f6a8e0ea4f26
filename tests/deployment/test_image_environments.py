"""What the images hold, proven by making their environments as the Dockerfile does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployment.dockerfile import build_tools
from tests.deployment.manifests import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def uv(*arguments: str | Path) -> str:
    """Run uv as the set-up does: from the index, and with the certificates, that pip is configured to use."""
    return run("sh", ROOT / "scripts/setup.sh", "uv", *arguments)


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """The output of a command, which must succeed; it sees no packages but those of its own environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(folder: Path, lock: str) -> Path:
    """The interpreter of an image: the lock, the project, and the build tools gone again."""
    python = folder / "venv/bin/python"
    into = ("--python", python)
    uv("venv", "--quiet", "--python", sys.executable, folder / "venv")
    uv("pip", "install", "--quiet", *into, "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", lock)
    uv("pip", "install", "--quiet", *into, "--offline", "--no-deps", "--no-build-isolation", ".")
    uv("pip", "uninstall", "--quiet", *into, *build_tools())
    return python


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of the service's image."""
    return environment(tmp_path_factory.mktemp("mcsvc"), "requirements/image-mcsvc.txt")


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of the simulator's image."""
    return environment(tmp_path_factory.mktemp("simulator"), "requirements/image-simulator.txt")


def test_the_service_starts_without_ray_jax_and_the_build_tools(service: Path, tmp_path: Path) -> None:
    assert present(service, ("ray", "jax", "numpy", "hatchling", "pip"), after="mcsvc.__main__", cwd=tmp_path) == []


def test_the_simulator_starts_without_the_libraries_of_the_service(simulator: Path, tmp_path: Path) -> None:
    assert (
        present(simulator, ("psycopg", "confluent_kafka", "hatchling"), after="simulator.serve.app", cwd=tmp_path) == []
    )
    assert "version" in run(simulator.parent / "ray", "--version", cwd=tmp_path)


def test_nothing_that_stays_needs_what_has_left(service: Path, simulator: Path) -> None:
    uv("pip", "check", "--python", service)
    uv("pip", "check", "--python", simulator)


def present(python: Path, names: tuple[str, ...], *, after: str, cwd: Path) -> list[str]:
    """Which of these packages an interpreter has, asked after it has imported a module."""
    found = f"[name for name in {names!r} if importlib.util.find_spec(name)]"
    answer = run(python, "-c", f"import importlib.util, json, {after}; print(json.dumps({found}))", cwd=cwd)
    return list(json.loads(answer))


def test_the_commands_of_the_pods_are_there(service: Path, tmp_path: Path) -> None:
    for command in ("serve", "migrate"):
        assert "usage" in run(service.parent / "mcsvc", command, "--help", cwd=tmp_path).lower()


def test_sql_and_other_data_travel_with_the_code(service: Path, tmp_path: Path) -> None:
    here = {path.relative_to(ROOT) for path in (ROOT / "mcsvc").rglob("*.sql")}
    where = run(service, "-c", "import mcsvc; print(mcsvc.__path__[0])", cwd=tmp_path).strip()
    installed = {Path("mcsvc") / path.relative_to(where) for path in Path(where).rglob("*.sql")}
    assert installed == here != set()
