"""The weights of breaches under importance sampling: their sums, and what these say of the estimate that they make."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from simulator import tilted
from simulator.planning import Plan
from simulator.sums import dot
from simulator.tally import Finished, Outcome

BLOCK_PATHS: Final = 4_096
"""Paths of each block of the main run; one shape, and so one compilation, for the pilots too."""

MOST_BLOCKS: Final = 96
"""Blocks of the main run at most."""

ENOUGH: Final = {4: 0.01, 8: 0.02, 48: 0.05}
"""Relative standard error at which the main run ends, from so many blocks on: fewer than the first may miss the great
weights, and then look precise; and what is hard to find is worth less precision.
"""

NEXT_TO_NEVER: Final = 1e-10
"""Of a smaller probability nobody needs to know more than its magnitude."""

ENOUGH_OF_SO_LITTLE: Final = 0.05
"""As ENOUGH from the fewest blocks on, of a probability below NEXT_TO_NEVER."""

LEAST_HITS: Final = 30
"""Fewer breaches say too little of a variance."""

UNRELIABLE: Final = 0.1
"""A relative standard error from which on a figure is not shown: so few paths make it up that the error is a guess."""

LARGEST_SHARE: Final = 0.05
"""The most of a figure that one path may make up."""

BELOW_OTHERS: Final = 4.0
"""A pilot that found less than another by so many standard errors misses a way to breach."""

LESS_THAN_OTHERS: Final = 0.5
"""So does one that found so much less than another whose relative error is below FAIRLY_SURE."""

FAIRLY_SURE: Final = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Over paths: how many breached in the one way that is asked about, and of the W of those the sum, the root of the
    sum of squares, and the largest. W may be 1e-200, and its square is no double: nothing is squared but shares.
    """

    paths: int = 0
    hits: int = 0
    total: float = 0.0
    norm: float = 0.0
    largest: float = 0.0

    @staticmethod
    def of(plan: Plan, finished: Finished, outcome: Outcome) -> Weights:
        weights = tilted.weights(plan, finished, finished.outcome == outcome)
        largest = float(weights.max(initial=0.0))
        shares = weights / largest if largest else weights
        return Weights(
            paths=int(finished.outcome.size),
            hits=int(weights.size),
            total=largest * float(shares.sum()),
            norm=largest * math.sqrt(dot(shares, shares)),
            largest=largest,
        )

    def __add__(self, other: Weights) -> Weights:
        return Weights(
            paths=self.paths + other.paths,
            hits=self.hits + other.hits,
            total=self.total + other.total,
            norm=math.hypot(self.norm, other.norm),
            largest=max(self.largest, other.largest),
        )

    @property
    def mean(self) -> float:
        """The estimate."""
        return self.total / self.paths

    @property
    def error(self) -> float:
        """The standard error of the estimate, as far as these paths show it."""
        return self.mean * math.sqrt(self.spread / self.paths) if self.total else 0.0

    def misses_some_of(self, other: Weights) -> bool:
        """Whether it found so much less than another that it is hardly chance."""
        less = other.mean - self.mean > BELOW_OTHERS * math.hypot(other.error, self.error)
        return less or (self.mean < LESS_THAN_OTHERS * other.mean and other.error < FAIRLY_SURE * other.mean)

    @property
    def spread(self) -> float:
        """Variance over the square of the mean, of one path, as far as these paths show it."""
        return max(self.paths * (self.norm / self.total) ** 2 - 1, 0.0) if self.total else math.inf

    @property
    def enough(self) -> bool:
        """Whether it is as precise as is asked for, as far as so many paths can tell."""
        allowed = [error for blocks, error in ENOUGH.items() if self.paths >= blocks * BLOCK_PATHS]
        if allowed and self.mean < NEXT_TO_NEVER:
            allowed.append(ENOUGH_OF_SO_LITTLE)
        return self.relative_error(self.paths) <= max(allowed, default=-math.inf)

    @property
    def hopeless(self) -> bool:
        """Whether even all blocks of the main run would not make it precise, if it goes on as it went so far."""
        return self.relative_error(MOST_BLOCKS * BLOCK_PATHS) >= UNRELIABLE

    @property
    def reliable(self) -> bool:
        """Whether it is precise, and of many paths."""
        return self.relative_error(self.paths) < UNRELIABLE and self.largest <= LARGEST_SHARE * self.total

    def relative_error(self, paths: int) -> float:
        """Of the mean over so many paths like these; infinite where too few breached to judge."""
        return math.sqrt(self.spread / (paths - 1)) if self.hits >= LEAST_HITS else math.inf
