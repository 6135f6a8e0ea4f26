"""What a job simulates and how: the subject and the settings, as asked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class SubjectKind(Enum):
    """Where the account, its rules and its trades come from. The values are stored."""

    ASSESSMENT = "assessment"
    FUNDED_ACCOUNT = "funded_account"
    INLINE = "inline"


class Model(Enum):
    """How futures are drawn from the history. The values are stored."""

    IID = "iid"
    DAY = "day"
    STATIONARY = "stationary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One account to simulate: an id in the Core Service, or the digest of an inline input."""

    kind: SubjectKind
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings as asked for; 0 and None mean: the engine's default (see `SimulationSettings` of the API)."""

    paths: int = 0
    horizon_days: int = 0
    model: Model = Model.STATIONARY
    trades_per_day: int = 0
    block_length: float = 0.0
    seed: int | None = None
