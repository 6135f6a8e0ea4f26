"""A checkpoint goes on only where it came from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator import codec, engine
from simulator.engine import Plan
from simulator.errors import InvalidInput
from simulator.estimation_risk import Histories
from simulator.found import Found
from simulator.ledger import Prefix
from simulator.scenarios import Paired
from simulator.serve import checkpoint
from simulator.serve.checkpoint import Kept
from simulator.serve.usual import usual_input
from simulator.tally import Tally


@pytest.fixture(scope="module")
def plan() -> Plan:
    message = usual_input(1_000_000)
    return engine.plan(codec.decode(message), codec.digest(message))


def kept_of(plan: Plan, blocks: int, *, holds: int | None = None) -> Kept:
    """Made up: `blocks` blocks with a scenario beside them, and three histories."""
    paths = (blocks if holds is None else holds) * plan.block_paths
    found = Found(
        tally=replace(Tally.empty(), paths=paths),
        pairs=(Paired(joint=(paths, *(0,) * 15), total=-(2**70), squares=2**90),),
        histories=Histories(ends={0: (1, 2, 3, 4), 1: (0, 0, 0, 10), 2: (9, 0, 1, 0)}),
    )
    return Kept(prefix=Prefix(blocks=blocks, histories=3, found=found), spent_s=2.5)


def test_what_is_encoded_is_decoded(plan: Plan) -> None:
    kept = kept_of(plan, 5)

    assert checkpoint.decode(plan, checkpoint.encode(plan, kept)) == kept


def test_no_data_starts_from_the_beginning(plan: Plan) -> None:
    assert checkpoint.decode(plan, b"") == Kept()


def test_another_inputs_checkpoint_is_refused(plan: Plan) -> None:
    other = replace(plan, input_digest="0" * 64)

    with pytest.raises(InvalidInput, match="another input"):
        checkpoint.decode(plan, checkpoint.encode(other, kept_of(plan, 5)))


def test_paths_that_are_not_there_are_refused(plan: Plan) -> None:
    with pytest.raises(InvalidInput, match="paths"):
        checkpoint.decode(plan, checkpoint.encode(plan, kept_of(plan, 9, holds=5)))


def test_histories_that_are_not_there_are_refused(plan: Plan) -> None:
    kept = kept_of(plan, 5)

    with pytest.raises(InvalidInput, match="does not hold"):
        checkpoint.decode(plan, checkpoint.encode(plan, replace(kept, prefix=replace(kept.prefix, histories=4))))


@pytest.mark.parametrize("cut", [1, 7, 20, -1])
def test_broken_data_is_refused(plan: Plan, cut: int) -> None:
    with pytest.raises(InvalidInput, match="resume_from"):
        checkpoint.decode(plan, checkpoint.encode(plan, kept_of(plan, 5))[:cut])


def test_another_versions_checkpoint_starts_again(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(checkpoint, "ENGINE_VERSION", "0.0.1")
        kept = checkpoint.encode(plan, kept_of(plan, 5))

    assert checkpoint.decode(plan, kept) == Kept()
