"""Breaches too rare for plain sampling: their probability by importance sampling, with its relative error.

Draws are weighted by `simulator.tilting`. Each path carries W, its likelihood ratio; the estimate of P(breach) over N
paths is the mean of W over those that breach and 0 over the others, its standard error s/√N. How to tilt is chosen by
pilots on random numbers of their own, so the choice does not bias the estimate: the weighting with the least relative
variance among those that breached often enough to judge, and found no less than the others did.

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

import numpy as np

from simulator import tilted, tilting
from simulator.device import Device
from simulator.estimate import probability
from simulator.launching import Launcher
from simulator.planning import Plan
from simulator.rare_event import RareEvent
from simulator.rng import path_key
from simulator.spec import Rules
from simulator.tally import Finished, Outcome, Tally
from simulator.tilting import Weighting

FEW: Final = 100
"""Fewer breaches among the plain paths are too few: a relative error above 10%."""

LEAST_PATHS: Final = 50_000
"""Of a simulation with fewer paths the pilots alone would be most of the work."""

RARE: Final = 1e-3
"""More plain paths are the better remedy unless the probability is below this, as far as the plain paths can tell."""

BLOCK_PATHS: Final = 4_096
"""Paths of a pilot, and of each block of the main run: one shape, and so one compilation."""

MOST_BLOCKS: Final = 96
"""Blocks of the main run at most."""

ENOUGH: Final = 0.01
"""Relative standard error at which the main run ends."""

LEAST_HITS: Final = 30
"""A pilot with fewer breaches says too little."""

UNRELIABLE: Final = 0.1
"""A relative standard error from which on a figure is not shown: so few paths make it up that the error is a guess."""

MOST_STARTS: Final = 256
"""Moments at which a tilt may begin, at most."""

LARGEST_SHARE: Final = 0.05
"""The most of a figure that one path may make up."""

BELOW_OTHERS: Final = 3.0
"""A pilot that found less than all of them together by so many standard errors misses a way to breach."""

_PILOT: Final = 0x52415245
_MAIN: Final = _PILOT + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weights:
    """Sums over paths of W and W² where they breached, by `Outcome`, how many did, and the largest W."""

    paths: int = 0
    hits: tuple[int, ...] = (0,) * len(Outcome)
    total: tuple[float, ...] = (0.0,) * len(Outcome)
    squares: tuple[float, ...] = (0.0,) * len(Outcome)
    largest: tuple[float, ...] = (0.0,) * len(Outcome)

    @staticmethod
    def of(plan: Plan, finished: Finished) -> _Weights:
        weight = tilted.weights(plan, finished)
        of_each = [weight[finished.outcome == end] for end in Outcome]
        return _Weights(
            paths=int(finished.outcome.size),
            hits=tuple(each.size for each in of_each),
            total=tuple(math.fsum(each) for each in of_each),
            squares=tuple(math.fsum(each * each) for each in of_each),
            largest=tuple(float(each.max(initial=0.0)) for each in of_each),
        )

    def __add__(self, other: _Weights) -> _Weights:
        return _Weights(
            paths=self.paths + other.paths,
            hits=tuple(a + b for a, b in zip(self.hits, other.hits, strict=True)),
            total=tuple(a + b for a, b in zip(self.total, other.total, strict=True)),
            squares=tuple(a + b for a, b in zip(self.squares, other.squares, strict=True)),
            largest=tuple(max(pair) for pair in zip(self.largest, other.largest, strict=True)),
        )

    def relative_variance(self, outcome: Outcome) -> float:
        """Variance over the square of the mean, of one path; infinite where too few breached to judge."""
        if self.hits[outcome] < LEAST_HITS or self.total[outcome] == 0:
            return math.inf
        mean = self.total[outcome] / self.paths
        return max(self.squares[outcome] / self.paths / mean**2 - 1, 0.0)

    def mean(self, outcome: Outcome) -> float:
        """The estimate."""
        return self.total[outcome] / self.paths

    def mean_variance(self, outcome: Outcome) -> float:
        """The variance of the estimate."""
        return max(self.squares[outcome] / self.paths - self.mean(outcome) ** 2, 0.0) / self.paths

    def enough(self, outcome: Outcome) -> bool:
        """Whether it is as precise as is asked for."""
        return self.relative_variance(outcome) <= ENOUGH**2 * (self.paths - 1)

    def reliable(self, outcome: Outcome) -> bool:
        """Whether it is precise, and of many paths."""
        return (
            self.relative_variance(outcome) < UNRELIABLE**2 * (self.paths - 1)
            and self.largest[outcome] <= LARGEST_SHARE * self.total[outcome]
        )

    def event(self, outcome: Outcome, weighting: Weighting) -> RareEvent:
        mean = self.mean(outcome)
        return RareEvent(
            outcome=outcome,
            probability=mean,
            std_error=mean * math.sqrt(self.relative_variance(outcome) / (self.paths - 1)),
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
    """One breach; None if no reliable figure was found. Blocks beyond the one that is enough do not count, so a figure
    does not depend on how many are run at once.
    """
    tried = (_with(plan, weighting, _PILOT) for weighting in _weightings(plan, outcome))
    pilots = {
        weighting: _Weights.of(pilot, flight.land())
        for (weighting, pilot), flight in launcher.flown((each, Device(each[1]), range(1)) for each in tried)
    }
    best = _best(pilots, outcome)
    if best is None:
        return None
    total = _Weights()
    _, main = _with(plan, best, _MAIN)
    device = Device(main)
    blocks = ((block, device, range(block, block + 1)) for block in range(MOST_BLOCKS))
    with closing(launcher.flown(blocks)) as flights:
        for _, flight in flights:
            total += _Weights.of(main, flight.land())
            if total.enough(outcome):
                break
    return total.event(outcome, best) if total.reliable(outcome) else None


def _best(pilots: Mapping[Weighting, _Weights], outcome: Outcome) -> Weighting | None:
    """The weighting with the least relative variance, of those that do not find less than all together."""
    together = math.fsum(each.mean(outcome) for each in pilots.values()) / max(len(pilots), 1)
    spread = math.fsum(each.mean_variance(outcome) for each in pilots.values()) / max(len(pilots), 1) ** 2
    variance = {
        weighting: each.relative_variance(outcome)
        for weighting, each in pilots.items()
        if together - each.mean(outcome) <= BELOW_OTHERS * math.sqrt(spread + each.mean_variance(outcome))
    }
    best = min(variance, key=variance.__getitem__, default=None)
    return best if best is not None and math.isfinite(variance[best]) else None


def _with(plan: Plan, weighting: Weighting, purpose: int) -> tuple[Weighting, Plan]:
    return weighting, replace(
        plan,
        weighting=weighting,
        seed=_seed(plan.seed, purpose),
        paths=MOST_BLOCKS * BLOCK_PATHS,
        block_paths=BLOCK_PATHS,
        blocks=MOST_BLOCKS,
        fan_paths=0,
    )


def _weightings(plan: Plan, outcome: Outcome) -> Iterator[Weighting]:
    """What pilots try: for the floor of a day, the draws of a day, and a moment to begin on each day."""
    found, low = tilted.scores(plan), tilted.scores(plan, by_low=True)
    if found is None or low is None:
        return
    daily = outcome is Outcome.BREACHED_DAILY_LOSS
    trades = plan.trades_a_day if daily else plan.mean_steps
    draws = max(1.0, trades * len(found) / plan.history.trades / max(plan.block_length, 1.0))
    starts = (tilting.STARTS[-1], min(plan.horizon_days, MOST_STARTS)) if daily else tilting.STARTS
    for distance in _distances(plan, outcome):
        yield from tilting.candidates(found, distance=distance, draws=draws, starts=starts)
        if (low < np.minimum(found, 0.0)).any():
            yield from tilting.candidates(low, distance=distance, draws=1.0, starts=starts, by_low=True)


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
