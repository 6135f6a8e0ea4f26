"""Certificates for tests: an authority of their own, and what it signs. Made by openssl 3."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_NEW = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A certificate and its key, PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Signs certificates; `own` is what trusts it."""

    folder: Path
    own: Signed

    def sign(self, name: str) -> Signed:
        """A certificate of this name, for a server or a client on the loopback address."""
        who = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        return _made(self.folder, name, [*who, "-CA", str(self.own.certificate), "-CAkey", str(self.own.key)])


def authority(folder: Path, name: str = "authority") -> Authority:
    """A new one, whose files are kept in the folder. Skips the test where there is no openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl, which makes the certificates of this test: install openssl 3")
    folder.mkdir(parents=True, exist_ok=True)
    return Authority(folder=folder, own=_made(folder, name, ["-subj", f"/CN={name}"]))


def _made(folder: Path, name: str, options: list[str]) -> Signed:
    signed = Signed(certificate=folder / f"{name}.crt", key=folder / f"{name}.key")
    files = ["-keyout", str(signed.key), "-out", str(signed.certificate)]
    done = subprocess.run(["openssl", *_NEW, *options, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return signed
