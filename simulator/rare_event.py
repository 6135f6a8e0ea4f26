"""The probability of a rare breach as it was found: its interval, its serial form, and whether it can be believed."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from simulator.estimate import Estimate, Z
from simulator.tally import Outcome, Tally
from simulator.tilting import Weighting

CONTRADICTED: Final = 1e-3
"""The figure and the breaches of the plain paths contradict each other if they would differ so much this rarely."""

_ENTRY: Final = struct.Struct("<Bddqdqd?")


@dataclass(frozen=True, slots=True, kw_only=True)
class RareEvent:
    """The probability of one kind of breach. `weighting`: θ per minor unit, and how many starts."""

    outcome: Outcome
    probability: float
    std_error: float
    paths: int
    weighting: Weighting

    @property
    def relative_error(self) -> float:
        """Standard error over value."""
        return self.std_error / self.probability

    @property
    def estimate(self) -> Estimate:
        """With a 95% interval on the scale of the logarithm, where products of weights are nearly normal."""
        stretch = math.exp(Z * self.relative_error)
        return Estimate(
            value=self.probability,
            std_error=self.std_error,
            ci_low=self.probability / stretch,
            ci_high=min(1.0, self.probability * stretch),
        )


def tells_more(event: RareEvent, plain: Tally) -> bool:
    """Whether it is more precise than the plain paths are, and not contradicted by them."""
    hits, expected = plain.outcomes[event.outcome], event.probability * plain.paths
    if _tail(hits, expected) < CONTRADICTED:
        return False
    return hits == 0 or event.relative_error < math.sqrt((1 - hits / plain.paths) / hits)


def _tail(hits: int, expected: float) -> float:
    """How rarely a Poisson number of this mean is as far on this side of it as `hits`."""
    below = math.fsum(math.exp(k * math.log(expected) - expected - math.lgamma(k + 1)) for k in range(hits))
    here = math.exp(hits * math.log(expected) - expected - math.lgamma(hits + 1))
    return min(1.0, below + here, max(0.0, 1 - below))


def merge(a: Iterable[RareEvent], b: Iterable[RareEvent]) -> tuple[RareEvent, ...]:
    """The events of both, in the order of `Outcome`; one that is in both is the same in both."""
    events = {each.outcome: each for each in (*a, *b)}
    return tuple(events[outcome] for outcome in sorted(events))


def to_bytes(events: Iterable[RareEvent]) -> bytes:
    """The serial form."""
    return b"".join(
        _ENTRY.pack(
            each.outcome,
            each.probability,
            each.std_error,
            each.paths,
            each.weighting.strength,
            each.weighting.starts,
            each.weighting.reach,
            each.weighting.by_low,
        )
        for each in events
    )


def from_bytes(data: bytes) -> tuple[RareEvent, ...]:
    """What `to_bytes` gave.

    Raises: ValueError for anything else.
    """
    if len(data) % _ENTRY.size:
        raise ValueError("Serialised rare events are cut short: start again without the checkpoint.")
    return tuple(
        RareEvent(
            outcome=Outcome(outcome),
            probability=probability,
            std_error=std_error,
            paths=paths,
            weighting=Weighting(
                strength=strength,
                starts=starts,
                reach=reach,
                by_low=by_low,
                within_a_day=outcome == Outcome.BREACHED_DAILY_LOSS,
            ),
        )
        for outcome, probability, std_error, paths, strength, starts, reach, by_low in _ENTRY.iter_unpack(data)
    )
