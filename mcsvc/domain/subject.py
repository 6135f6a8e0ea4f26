"""What a job simulates and how: the subject and the settings, as asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
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
    CIRCULAR = "circular"
    NORMAL = "normal"
    STUDENT_T = "student_t"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One account to simulate: an id in the Core Service, or the digest of an inline input."""

    kind: SubjectKind
    ref: str

    def in_words(self) -> str:
        """For people: funded account "acc-1"."""
        return f'{self.kind.value.replace("_", " ")} "{self.ref}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings as asked for; 0 and None mean: the engine's default (see `SimulationSettings` of the API).

    others: the rest of them, which only the engine understands, as ProtoJSON with sorted keys; empty if there is none.
    """

    paths: int = 0
    horizon_days: int = 0
    model: Model = Model.STATIONARY
    trades_per_day: int = 0
    block_length: float = 0.0
    seed: int | None = None
    others: str = ""


def settings_form(settings: Settings) -> dict[str, str | int | float | None]:
    """Settings as they are stored and digested. What was added later is left out where it is empty, so that a request
    has the digest that it had before.
    """
    form = {**asdict(settings), "model": settings.model.value}
    return form if settings.others else {name: value for name, value in form.items() if name != "others"}
