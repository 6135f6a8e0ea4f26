"""What can be wrong with an input, each error naming the field and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldViolation:
    """One bad field: its path in the input, e.g. `trades[3].pnl`, and what is wrong and how to mend it."""

    field: str
    description: str


class InvalidInput(ValueError):
    """The input cannot be simulated; `violations` lists the bad fields, but for so many `more`."""

    def __init__(self, violations: Sequence[FieldViolation], *, more: int = 0) -> None:
        """At least one violation."""
        self.violations = tuple(violations)
        self.more = more
        super().__init__("; ".join(f"{each.field}: {each.description}" for each in self.violations))


class AmountsTooLarge(InvalidInput):
    """Profits and losses add up to more than is computed exactly."""

    def __init__(self) -> None:
        """One violation, of the trades."""
        super().__init__(
            [
                FieldViolation(
                    field="trades",
                    description=(
                        "a simulated balance moved more than 536,870,912 minor units (5,368,709.12 in a currency with"
                        " cents) from its start or its peak: give a drawdown rule that ends such paths, a shorter"
                        " horizon, or smaller amounts"
                    ),
                )
            ]
        )
