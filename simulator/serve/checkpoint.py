"""What one attempt leaves to the next: what the first units of each section yielded, and of which simulation."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any, Final

from simulator.engine import Plan
from simulator.errors import FieldViolation, InvalidInput
from simulator.found import Found
from simulator.ledger import NOTHING, Prefix
from simulator.result import ENGINE_VERSION

_HEAD: Final = struct.Struct("<4sI")
_MAGIC: Final = b"MCC2"
_ABOUT: Final = ("engine", "input", "block_paths", "blocks", "histories", "spent_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where to go on, and how many seconds of the time budget the attempts before have spent."""

    prefix: Prefix = NOTHING
    spent_s: float = 0.0


def encode(plan: Plan, kept: Kept) -> bytes:
    """The data of a checkpoint message, without the equity fan."""
    about = json.dumps(
        {
            "engine": ENGINE_VERSION,
            "input": plan.input_digest,
            "block_paths": plan.block_paths,
            "blocks": kept.prefix.blocks,
            "histories": kept.prefix.histories,
            "spent_s": kept.spent_s,
        }
    ).encode()
    return _HEAD.pack(_MAGIC, len(about)) + about + kept.prefix.found.without_fan().to_bytes()


def decode(plan: Plan, data: bytes) -> Kept:
    """Where to go on; from the start if another version of the engine wrote it, as its bits may differ.

    Raises: InvalidInput if it is no checkpoint, or one of another input.
    """
    if not data:
        return Kept()
    about, rest = _parsed(data)
    if about["input"] != plan.input_digest:
        raise _refused("is a checkpoint of another input: send the input it came from, or leave it empty")
    if (about["engine"], about["block_paths"]) != (ENGINE_VERSION, plan.block_paths):
        return Kept()
    prefix = _prefix(about, rest)
    if not _holds(plan, prefix):
        raise _refused("does not hold the paths that it says: leave it empty to start again")
    return Kept(prefix=prefix, spent_s=float(about["spent_s"]))


def _holds(plan: Plan, prefix: Prefix) -> bool:
    found = prefix.found
    paths = min(prefix.blocks * plan.block_paths, plan.paths)
    return (
        found.tally.paths == paths
        and all(pair.paths == paths for pair in found.pairs)
        and set(found.histories.ends) == set(range(prefix.histories))
    )


def _parsed(data: bytes) -> tuple[dict[str, Any], bytes]:
    """What a checkpoint says about itself, and the rest of it."""
    try:
        magic, length = _HEAD.unpack_from(data)
        if magic != _MAGIC:
            raise _broken()
        about = json.loads(data[_HEAD.size : _HEAD.size + length])
        return {name: about[name] for name in _ABOUT}, data[_HEAD.size + length :]
    except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError, struct.error) as broken:
        raise _broken() from broken


def _prefix(about: dict[str, Any], rest: bytes) -> Prefix:
    try:
        return Prefix(blocks=int(about["blocks"]), histories=int(about["histories"]), found=Found.from_bytes(rest))
    except (ValueError, TypeError) as broken:
        raise _broken() from broken


def _broken() -> InvalidInput:
    return _refused("is not the data of a checkpoint: send what the stream gave, or leave it empty")


def _refused(description: str) -> InvalidInput:
    return InvalidInput([FieldViolation(field="resume_from", description=description)])
