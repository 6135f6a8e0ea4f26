"""`scripts/setup.sh uv`: uv reads none of pip's settings, so those that say where packages come from are handed on."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deployment.manifests import ROOT

SCRIPT = ROOT / "scripts/setup.sh"
CONFIGURED = "global.cert='/etc/firm.pem'\nglobal.index-url='https://index.example/simple'\n"
TOLD = ("UV_DEFAULT_INDEX", "SSL_CERT_FILE", "UV_PYTHON_DOWNLOADS")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the script; its uv tells its arguments and settings, its pip what somebody has configured."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts")
    wanted = re.search(r"^uv_version=(\S+)$", SCRIPT.read_text(), re.MULTILINE)
    assert wanted is not None
    tells = "".join(f'echo "{name}=${{{name}:-}}"\n' for name in TOLD)
    _program(
        tmp_path / ".venv/uv/bin/uv", f'[ "$1" != --version ] || {{ echo "uv {wanted[1]}"; exit; }}\necho "$@"\n{tells}'
    )
    _program(tmp_path / ".venv/uv/bin/python", f"cat <<END\n{CONFIGURED}END\n")
    return tmp_path


def _program(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}")
    path.chmod(0o755)


def _run(project: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(project / "scripts/setup.sh"), *arguments]
    own = {"PATH": "/usr/bin:/bin", "HOME": str(project)}
    return subprocess.run(command, env=own | environ, capture_output=True, text=True, check=False)


def test_uv_is_told_what_pip_is_configured_to_use(project: Path) -> None:
    assert _run(project, "uv", "pip", "check", "--quiet").stdout.splitlines() == [
        "pip check --quiet",
        "UV_DEFAULT_INDEX=https://index.example/simple",
        "SSL_CERT_FILE=/etc/firm.pem",
        "UV_PYTHON_DOWNLOADS=never",
    ]


def test_what_is_set_for_uv_itself_goes_before_pips_configuration(project: Path) -> None:
    told = _run(project, "uv", "version", UV_DEFAULT_INDEX="https://own.example", SSL_CERT_FILE="/own.pem").stdout
    assert told.splitlines()[1:3] == ["UV_DEFAULT_INDEX=https://own.example", "SSL_CERT_FILE=/own.pem"]


def test_uvs_failure_is_that_of_the_script(project: Path) -> None:
    _program(project / ".venv/uv/bin/uv", (project / ".venv/uv/bin/uv").read_text() + "exit 7\n")
    assert _run(project, "uv", "pip", "check").returncode == 7


def test_a_word_that_is_no_command_is_answered_with_those_that_are(project: Path) -> None:
    refused = _run(project, "sink")
    assert (refused.returncode, refused.stderr) == (
        1, "usage: setup.sh run | dev | lock [ARGUMENT...] | uv ARGUMENT...\n",
    )  # fmt: skip
