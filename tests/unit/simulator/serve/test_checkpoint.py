"""A checkpoint goes on only where it came from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator import codec, engine
from simulator.engine import Plan
from simulator.errors import InvalidInput
from simulator.serve import checkpoint
from simulator.serve.ledger import NOTHING, Prefix
from simulator.serve.usual import usual_input
from simulator.tally import Tally


@pytest.fixture(scope="module")
def plan() -> Plan:
    message = usual_input(1_000_000)
    return engine.plan(codec.decode(message), codec.digest(message))


def prefix_of(plan: Plan, blocks: int) -> Prefix:
    return Prefix(next_block=blocks, tally=replace(Tally.empty(), paths=blocks * plan.block_paths))


def test_what_is_encoded_is_decoded(plan: Plan) -> None:
    kept = prefix_of(plan, 5)

    assert checkpoint.decode(plan, checkpoint.encode(plan, kept)) == kept


def test_no_data_starts_from_the_beginning(plan: Plan) -> None:
    assert checkpoint.decode(plan, b"") == NOTHING


def test_another_inputs_checkpoint_is_refused(plan: Plan) -> None:
    other = replace(plan, input_digest="0" * 64)

    with pytest.raises(InvalidInput, match="another input"):
        checkpoint.decode(plan, checkpoint.encode(other, prefix_of(plan, 5)))


def test_paths_that_are_not_there_are_refused(plan: Plan) -> None:
    claims = Prefix(next_block=9, tally=prefix_of(plan, 5).tally)

    with pytest.raises(InvalidInput, match="paths"):
        checkpoint.decode(plan, checkpoint.encode(plan, claims))


@pytest.mark.parametrize("cut", [1, 7, 20, -1])
def test_broken_data_is_refused(plan: Plan, cut: int) -> None:
    with pytest.raises(InvalidInput, match="resume_from"):
        checkpoint.decode(plan, checkpoint.encode(plan, prefix_of(plan, 5))[:cut])


def test_another_versions_checkpoint_starts_again(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(checkpoint, "ENGINE_VERSION", "0.0.1")
        kept = checkpoint.encode(plan, prefix_of(plan, 5))

    assert checkpoint.decode(plan, kept) == NOTHING
