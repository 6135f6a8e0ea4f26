"""When enough paths are done: looked at after 4, 8, 16, … whole blocks in order, so chunks and workers decide nothing.

A rule that stops as soon as a figure looks precise must look seldom: each look is a chance to stop on a lucky sample.
Looks that double leave the coverage of the interval near its nominal level (Chow & Robbins 1965 for looks at will).
"""

from __future__ import annotations

from typing import Final

from simulator import estimate
from simulator.spec import PrecisionTarget
from simulator.tally import Outcome, Tally

FIRST_LOOK: Final = 4
"""Blocks before the first look."""


def is_look(blocks: int) -> bool:
    """Whether the first so many blocks are looked at."""
    return blocks == next_look(blocks - 1)


def next_look(blocks: int) -> int:
    """The first look at more than so many blocks."""
    look = FIRST_LOOK
    while look <= blocks:
        look *= 2
    return look


def reached(targets: tuple[PrecisionTarget, ...], tally: Tally) -> bool:
    """Whether every target is reached; False where there is none."""
    return bool(targets) and tally.paths > 0 and all(half_width(each, tally) <= each.half_width for each in targets)


def half_width(target: PrecisionTarget, tally: Tally) -> float:
    """Half the width of the 95% interval of the target's outcome."""
    count = tally.outcomes[Outcome[target.outcome.upper()]]
    figure = estimate.probability(count, tally.paths)
    return (figure.ci_high - figure.ci_low) / 2
