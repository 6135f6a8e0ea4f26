"""What a measurement says: one row of the table, with its goal where there is one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """The figure should be at least, or at most, this."""

    at: Literal["least", "most"]
    figure: float

    def met(self, figure: float) -> bool:
        """Whether a figure reaches it."""
        return figure >= self.figure if self.at == "least" else figure <= self.figure

    def __str__(self) -> str:
        """As in the table."""
        return f"{'>=' if self.at == 'least' else '<='} {self.figure:.4g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure. `key` is its name in the history, which must not change."""

    key: str
    what: str
    figure: float
    unit: str
    goal: Goal | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without one."""
        return None if self.goal is None else self.goal.met(self.figure)

    def as_json(self) -> dict[str, object]:
        """For the file of figures."""
        return {**asdict(self), "goal": None if self.goal is None else str(self.goal), "met": self.met}


def at_least(figure: float) -> Goal:
    """The figure should not be less."""
    return Goal(at="least", figure=figure)


def at_most(figure: float) -> Goal:
    """The figure should not be more."""
    return Goal(at="most", figure=figure)
