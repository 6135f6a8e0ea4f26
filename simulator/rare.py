"""Breaches too rare for plain sampling: their probability by importance sampling, with its relative error.

Draws are weighted by `simulator.tilting`. Each path carries W, its likelihood ratio; the estimate of P(breach) over N
paths is the mean of W over those that breach and 0 over the others, its standard error s/√N. How to tilt is chosen by
pilots on random numbers of their own, so the choice does not bias the estimate: the weighting with the least relative
variance among those that breached often enough to judge, and found no less than the others did. Short pilots say which
are worth longer ones: the best by P&L, and the best by lowest points.

A tilt that misses a way to breach yields too low a figure with too small an error. So a share of the paths is plain,
and there is a figure only if it is precise (UNRELIABLE) and no single path makes up much of it (LARGEST_SHARE). Whether
the plain paths of the simulation contradict it is asked when it is shown (`simulator.rare_event`).

Nothing is random but the draws: same plan, same figures. The weights are doubles, so figures agree between kinds of
device to about 1e-9, not to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final

from simulator import tilted, tilting
from simulator.device import Device
from simulator.estimate import probability
from simulator.launching import Launcher
from simulator.planning import Plan
from simulator.rare_event import RareEvent
from simulator.rng import path_key
from simulator.spec import DrawdownKind, Rules
from simulator.sums import dot
from simulator.tally import Finished, Outcome, Tally
from simulator.tilting import Weighting

FEW: Final = 100
"""Fewer breaches among the plain paths are too few: a relative error above 10%."""

LEAST_PATHS: Final = 50_000
"""Of a simulation with fewer paths the pilots alone would be most of the work."""

RARE: Final = 1e-3
"""More plain paths are the better remedy unless the probability is below this, as far as the plain paths can tell."""

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

FIRST_PATHS: Final = 1_024
"""Paths of a first pilot: there are many, and most show with few paths that they will not do."""

FIRST_HITS: Final = 8
"""A first pilot with fewer breaches is not followed up."""

LEAST_HITS: Final = 30
"""Fewer breaches say too little of a variance."""

UNRELIABLE: Final = 0.1
"""A relative standard error from which on a figure is not shown: so few paths make it up that the error is a guess."""

LOOKS: Final = (16, 32, 64)
"""Blocks of the main run after which it is given up if the figure would still be UNRELIABLE at the end. Fewer say too
little of weights with long tails.
"""

LARGEST_SHARE: Final = 0.05
"""The most of a figure that one path may make up."""

BELOW_OTHERS: Final = 4.0
"""A pilot that found less than another by so many standard errors misses a way to breach."""

LESS_THAN_OTHERS: Final = 0.5
"""So does one that found so much less than another whose relative error is below FAIRLY_SURE."""

FAIRLY_SURE: Final = 0.4

_PILOT: Final = 0x52415245
_MAIN: Final = _PILOT + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weights:
    """Over paths: how many breached in the one way that is asked about, and of the W of those the sum, the root of the
    sum of squares, and the largest. W may be 1e-200, and its square is no double: nothing is squared but shares.
    """

    paths: int = 0
    hits: int = 0
    total: float = 0.0
    norm: float = 0.0
    largest: float = 0.0

    @staticmethod
    def of(plan: Plan, finished: Finished, outcome: Outcome) -> _Weights:
        weights = tilted.weights(plan, finished, finished.outcome == outcome)
        largest = float(weights.max(initial=0.0))
        shares = weights / largest if largest else weights
        return _Weights(
            paths=int(finished.outcome.size),
            hits=int(weights.size),
            total=largest * float(shares.sum()),
            norm=largest * math.sqrt(dot(shares, shares)),
            largest=largest,
        )

    def __add__(self, other: _Weights) -> _Weights:
        return _Weights(
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

    def misses_some_of(self, other: _Weights) -> bool:
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

    def event(self, outcome: Outcome, weighting: Weighting) -> RareEvent:
        return RareEvent(
            outcome=outcome,
            probability=self.mean,
            std_error=self.mean * self.relative_error(self.paths),
            paths=self.paths,
            weighting=weighting,
        )


def wanted(plan: Plan, tally: Tally) -> tuple[Outcome, ...]:
    """The breaches that the plain paths saw too few of, where the model can be tilted and the settings allow it.

    Stress that replaces winners or strikes a day draws for itself and is not tilted.
    """
    settings, stress = plan.spec.settings, plan.spec.settings.stress
    draws_for_itself = stress.fewer_winners or stress.worst_day
    if not settings.rare_events or draws_for_itself or tally.paths < LEAST_PATHS or tilted.scores(plan) is None:
        return ()
    return tuple(end for end in possible(plan.spec.rules) if _is_rare(tally.outcomes[end], tally.paths))


def can_be_sought(plan: Plan, outcome: Outcome) -> bool:
    """Whether there is any weighting to try: not where no draw is lower than others."""
    return next(_weightings(plan, outcome), None) is not None


def _is_rare(breaches: int, paths: int) -> bool:
    return breaches < FEW and probability(breaches, paths).ci_high < RARE


def estimate(plan: Plan, outcomes: Iterable[Outcome], launcher: Launcher) -> tuple[RareEvent, ...]:
    """The probabilities of these breaches, as far as tilting finds any."""
    found = [_estimate(plan, outcome, launcher) for outcome in outcomes]
    return tuple(event for event in found if event is not None)


def _estimate(plan: Plan, outcome: Outcome, launcher: Launcher) -> RareEvent | None:
    """One breach; None if no reliable figure was found. Blocks beyond the last that is needed do not count, so a figure
    does not depend on how many are run at once.
    """
    best = _best(plan, outcome, launcher)
    if best is None:
        return None
    total, main = _Weights(), _with(plan, best, _MAIN)
    device = Device(main)
    blocks = ((block, device, range(block, block + 1)) for block in range(MOST_BLOCKS))
    with closing(launcher.flown(blocks)) as flights:
        for block, flight in flights:
            total += _Weights.of(main, flight.land(), outcome)
            if total.enough or (block + 1 in LOOKS and total.hopeless):
                break
    return total.event(outcome, best) if total.reliable else None


def _best(plan: Plan, outcome: Outcome, launcher: Launcher) -> Weighting | None:
    """What the main run is to draw with; None if no pilot breaches often enough."""

    def piloted(weightings: Iterable[Weighting], block: int, paths: int) -> dict[Weighting, _Weights]:
        plans = ((each, replace(_with(plan, each, _PILOT), paths=block * BLOCK_PATHS + paths)) for each in weightings)
        flights = launcher.flown((each, Device(each[1]), range(block, block + 1)) for each in plans)
        return {weighting: _Weights.of(pilot, flight.land(), outcome) for (weighting, pilot), flight in flights}

    pilots = piloted(_weightings(plan, outcome), 0, FIRST_PATHS)
    best = [_first(_ranked(pilots, FIRST_HITS), by_low=by_low) for by_low in (False, True)]
    followed_up = piloted([each for each in best if each is not None], 1, BLOCK_PATHS)
    both = {weighting: pilots[weighting] + more for weighting, more in followed_up.items()}
    return next(iter(_ranked(both, LEAST_HITS)), None)


def _first(ranked: Iterable[Weighting], *, by_low: bool) -> Weighting | None:
    return next((each for each in ranked if each.by_low == by_low), None)


def _ranked(pilots: Mapping[Weighting, _Weights], hits: int) -> list[Weighting]:
    """The weightings with so many breaches that miss no way to breach which another has found, the best first."""
    found = {
        weighting: each.spread
        for weighting, each in pilots.items()
        if each.hits >= hits and not any(each.misses_some_of(other) for other in pilots.values())
    }
    return sorted(found, key=found.__getitem__)


def _with(plan: Plan, weighting: Weighting, purpose: int) -> Plan:
    return replace(
        plan,
        weighting=weighting,
        seed=_seed(plan.seed, purpose),
        paths=MOST_BLOCKS * BLOCK_PATHS,
        block_paths=BLOCK_PATHS,
        blocks=MOST_BLOCKS,
        fan_paths=0,
    )


def _weightings(plan: Plan, outcome: Outcome) -> Iterator[Weighting]:
    """What pilots try."""
    within_a_day = outcome is Outcome.BREACHED_DAILY_LOSS
    starts = (plan.horizon_days,) if within_a_day else _starts(plan)
    for distance in _distances(plan, outcome):
        yield from tilted.weightings(plan, distance, starts, within_a_day=within_a_day)


def _starts(plan: Plan) -> tuple[int, ...]:
    """A fall to a floor that stands still may as well begin at once."""
    drawdown = plan.spec.rules.max_drawdown
    static = drawdown is not None and drawdown.kind is DrawdownKind.STATIC
    return tilting.STARTS[:1] if static else tilting.STARTS


def _distances(plan: Plan, outcome: Outcome) -> Iterator[float]:
    """How far the floor of this breach is, in minor units."""
    floor, daily = plan.spec.present_floor_minor, plan.spec.rules.daily_loss
    if outcome is Outcome.BREACHED_MAX_DRAWDOWN and floor is not None:
        yield max(1.0, plan.spec.account.balance_minor - floor)
    if outcome is Outcome.BREACHED_DAILY_LOSS and daily is not None:
        share = (daily.anchor_share_ppm or 0) / 1_000_000
        yield max(1.0, daily.limit_minor or share * plan.spec.account.balance_minor)


def possible(rules: Rules) -> Iterator[Outcome]:
    """The breaches that end a path."""
    if rules.max_drawdown is not None:
        yield Outcome.BREACHED_MAX_DRAWDOWN
    if rules.daily_loss is not None and rules.daily_loss.action.value == "fail":
        yield Outcome.BREACHED_DAILY_LOSS


def _seed(seed: int, purpose: int) -> int:
    """Random numbers of their own for the pilots and for the main run."""
    words = path_key(seed, purpose)
    return int(words[1]) << 32 | int(words[0])
