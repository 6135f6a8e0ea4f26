"""Reads the Dockerfile: its stages and their instructions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Template

from tests.deployment.manifests import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage: what it builds on, and its instructions in order, continuation lines joined."""

    name: str
    parent: str
    instructions: tuple[tuple[str, str], ...]

    def all(self, keyword: str) -> list[str]:
        """The arguments of every instruction of a kind."""
        return [argument for each, argument in self.instructions if each == keyword]

    def last(self, keyword: str) -> str:
        """The arguments of the one that counts."""
        return self.all(keyword)[-1]


def instructions() -> list[tuple[str, str]]:
    """All instructions, arguments with their build arguments put in."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    found = [line.split(None, 1) for line in re.sub(r"\\\n\s*", "", text).splitlines() if line.strip()]
    defaults = dict(argument.split("=", 1) for keyword, argument in found if keyword == "ARG" and "=" in argument)
    return [(keyword, Template(argument).safe_substitute(defaults)) for keyword, argument in found]


def stages() -> dict[str, Stage]:
    """The stages by name, in order."""
    found: dict[str, Stage] = {}
    for keyword, argument in instructions():
        if keyword == "FROM":
            parent, _, name = argument.split()
            found[name] = Stage(name=name, parent=parent, instructions=())
        elif found:
            last = list(found.values())[-1]
            found[last.name] = Stage(
                name=last.name, parent=last.parent, instructions=(*last.instructions, (keyword, argument))
            )
    return found


def build_stage(target: str) -> Stage:
    """The stage whose environment a target copies."""
    (source,) = re.findall(r"--from=(\S+) /opt/venv /opt/venv", " ".join(stages()[target].all("COPY")))
    return stages()[source]


def build_tools() -> list[str]:
    """The packages that build the project and leave again."""
    (listed,) = re.findall(r'BUILD_TOOLS="([^"]+)"', " ".join(stages()["build"].all("ENV")))
    return str(listed).split()
