"""What one attempt leaves to the next: the tally of the first blocks, and what it is a tally of."""

from __future__ import annotations

import json
import struct
from typing import Any, Final

from simulator.engine import Plan
from simulator.errors import FieldViolation, InvalidInput
from simulator.result import ENGINE_VERSION
from simulator.serve.ledger import NOTHING, Prefix
from simulator.tally import Tally

_HEAD: Final = struct.Struct("<4sI")
_MAGIC: Final = b"MCCP"


def encode(plan: Plan, prefix: Prefix) -> bytes:
    """The data of a checkpoint message."""
    about = json.dumps(
        {
            "engine": ENGINE_VERSION,
            "input": plan.input_digest,
            "block_paths": plan.block_paths,
            "next": prefix.next_block,
        }
    ).encode()
    return _HEAD.pack(_MAGIC, len(about)) + about + prefix.tally.to_bytes()


def decode(plan: Plan, data: bytes) -> Prefix:
    """Where to go on; from the start if another version of the engine wrote it, as its bits may differ.

    Raises: InvalidInput if it is no checkpoint, or one of another input.
    """
    if not data:
        return NOTHING
    try:
        about, tally = _parse(data)
    except (ValueError, KeyError, struct.error) as broken:
        raise _refused("is not the data of a checkpoint: send what the stream gave, or leave it empty") from broken
    if about["input"] != plan.input_digest:
        raise _refused("is a checkpoint of another input: send the input it came from, or leave it empty")
    if (about["engine"], about["block_paths"]) != (ENGINE_VERSION, plan.block_paths):
        return NOTHING
    next_block = int(about["next"])
    if tally.paths != min(next_block * plan.block_paths, plan.paths):
        raise _refused("does not hold the paths that it says: leave it empty to start again")
    return Prefix(next_block=next_block, tally=tally)


def _parse(data: bytes) -> tuple[dict[str, Any], Tally]:
    magic, length = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise ValueError(magic)
    about = json.loads(data[_HEAD.size : _HEAD.size + length])
    return {name: about[name] for name in ("engine", "input", "block_paths", "next")}, Tally.from_bytes(
        data[_HEAD.size + length :]
    )


def _refused(description: str) -> InvalidInput:
    return InvalidInput([FieldViolation(field="resume_from", description=description)])
