"""The library of example rule sets in docs/rules: each is read, understood whole, and named with its source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from montecarlo.engine.v1 import engine_pb2
from riskio import files
from simulator import codec
from simulator.planning import plan

LIBRARY = Path(__file__).parents[3] / "docs/rules"
NAMES = sorted(path.name for path in LIBRARY.glob("*.yaml"))


def test_there_are_at_least_eight() -> None:
    assert len(NAMES) >= 8


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_set_can_be_simulated(name: str) -> None:
    rules, account = files.read_rules(LIBRARY / name)
    message = engine_pb2.SimulateInput(rules=rules, account=account)
    for day in range(1, 25):
        message.trades.add(pnl=str((-1) ** day * 10 * day)).closed_at.FromJsonString(f"2026-01-{day:02}T15:00:00Z")
    decoded = codec.decode(message).rules
    assert decoded.version == rules.version
    assert plan(codec.decode(message), codec.digest(message)).horizon_days >= 1


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_set_says_where_it_is_from_and_when(name: str) -> None:
    text = (LIBRARY / name).read_text(encoding="utf-8")
    assert re.search(r"^# Sources?: \S+\.\S+", text, re.MULTILINE), "names no source"
    assert re.search(r"Read: \w+ 20\d\d", text), "does not say when the source was read"
    assert f"version: {name.removesuffix('.yaml')}-20" in text
