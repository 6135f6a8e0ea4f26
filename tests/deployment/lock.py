"""Reads the hashed requirement files."""

from __future__ import annotations

import re

from tests.deployment.manifests import ROOT

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


def pins(path: str) -> dict[str, str]:
    """The version of each package of a requirement file."""
    return dict(_PIN.findall((ROOT / path).read_text()))
