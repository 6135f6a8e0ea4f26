"""The shapes of simulations that are compared with the reference: which rules are on, and how futures are drawn.

Whatever is compiled in is in the shape, and the shapes are few: every two rules (in the wider suite every three) that
may stand together do so in one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from simulator.spec import DailyAction, DrawdownKind, FloorAfterPayout, Model
from tests.unit.simulator.covering import Partial, covering

FITTED = (Model.NORMAL, Model.STUDENT_T)
KEEP = FloorAfterPayout.KEEP
FACTORS = {
    "course": ("target", "phases", "payout", "payout and scaling"),
    "floor_after": tuple(FloorAfterPayout),
    "withdrawal": ("whole", "share", "ladder"),
    "drawdown": (None, *DrawdownKind),
    "drawdown_share": (False, True),
    "daily_loss": (None, *DailyAction),
    "daily_share": (False, True),
    "open_equity": (False, True),
    "minimum_days": ("no", "any", "profitable"),
    "consistency": (False, True),
    "model": (Model.IID, Model.DAY, Model.STATIONARY, Model.CIRCULAR, Model.NORMAL),
    "fixed_days": (False, True),
    "excursions": (False, True),
    "stress": ("no", "amounts", "draws"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What decides a compilation."""

    course: str = "target"
    floor_after: FloorAfterPayout = FloorAfterPayout.KEEP
    withdrawal: str = "whole"
    drawdown: DrawdownKind | None = None
    drawdown_share: bool = False
    daily_loss: DailyAction | None = None
    daily_share: bool = False
    open_equity: bool = False
    minimum_days: str = "no"
    consistency: bool = False
    model: Model = Model.IID
    fixed_days: bool = False
    excursions: bool = False
    stress: str = "no"

    @property
    def payout(self) -> bool:
        """Whether the account pays out."""
        return "payout" in self.course

    @property
    def scaling(self) -> bool:
        """Whether the account may grow."""
        return "scaling" in self.course

    def __str__(self) -> str:
        """Short enough to name a test."""
        parts = (getattr(self, field.name) for field in fields(self))
        return "-".join(str(getattr(part, "value", part)).replace(" ", "_") for part in parts)


def may_stand_together(values: Partial) -> bool:
    """Whether none of these is without meaning beside another."""
    course = values.get("course", "payout")
    of_payouts = values.get("withdrawal", "whole") != "whole" or values.get("floor_after", KEEP) is not KEEP
    of_days = values.get("daily_share", False) or values.get("open_equity", False)
    return not (
        (of_payouts and course not in {"payout", "payout and scaling"})
        or (values.get("excursions") and values.get("model") in FITTED)
        or (values.get("drawdown_share") and values.get("drawdown", "?") in {None, DrawdownKind.STATIC})
        or (of_days and values.get("daily_loss", "?") is None)
        or (values.get("fixed_days") and values.get("model") is Model.DAY)
    )


def shapes(strength: int) -> list[Shape]:
    """Every so many rules together, in as few shapes as were found."""
    return [Shape(**row) for row in covering(FACTORS, may_stand_together, strength)]  # type: ignore[arg-type]
