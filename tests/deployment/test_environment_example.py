""".env.example names every variable the programs read, with the defaults of the code."""

from __future__ import annotations

import re

import opentelemetry.sdk.environment_variables as otel

from mcsvc import config
from tests.deployment import manifests as m

_LINE = re.compile(r"(?P<mark># )?(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)")
_READ_ELSEWHERE = re.compile(r"\"((?:MCSIM|MCSVC)_[A-Z0-9_]+)\"")


def lines() -> list[str]:
    """The file."""
    return (m.ROOT / ".env.example").read_text().splitlines()


def entries() -> dict[str, re.Match[str]]:
    """The variables of the file by name."""
    found = [match for line in lines() if (match := _LINE.fullmatch(line))]
    names = [match["name"] for match in found]
    assert len(names) == len(set(names)), "a variable stands there twice"
    return dict(zip(names, found, strict=True))


def of_the_service() -> dict[str, config.Variable]:
    """The service's variables by name."""
    return {each.name: each for each in config.variables().values()}


def of_the_commands_and_the_simulator() -> set[str]:
    """The variables read outside the service's configuration."""
    folders = (m.ROOT / "simulator", m.ROOT / "mcsvc/cli")
    sources = "".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))
    return set(_READ_ELSEWHERE.findall(sources))


def test_every_variable_that_is_read_is_there_and_no_other() -> None:
    ours = {name for name in entries() if not name.startswith("OTEL_")}
    assert ours == set(of_the_service()) | of_the_commands_and_the_simulator()


def test_opentelemetry_knows_the_variables_that_are_named_for_it() -> None:
    named = {name for name in entries() if name.startswith("OTEL_")}
    assert named
    assert all(getattr(otel, name) == name for name in named)


def test_optional_ones_are_marked_and_show_their_default() -> None:
    for name, variable in of_the_service().items():
        entry = entries()[name]
        if variable.default is None:
            assert not entry["mark"], name
        else:
            assert (entry["mark"], entry["value"]) == ("# ", variable.default), name


def test_every_variable_is_explained_and_spans_of_time_have_their_unit() -> None:
    text = lines()
    for name, entry in entries().items():
        comment = text[text.index(entry.group()) - 1]
        assert comment.startswith("# "), name
        assert not _LINE.fullmatch(comment), name
        assert not name.endswith("_S") or "seconds" in comment, name


def test_it_is_a_valid_configuration_as_it_stands_and_with_every_mark_removed() -> None:
    everything = {name: entry["value"] for name, entry in entries().items()}
    required = {name: entry["value"] for name, entry in entries().items() if not entry["mark"]}
    assert config.load(required) == config.load(everything)
