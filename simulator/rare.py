"""Breaches too rare for plain sampling: their probability by importance sampling, unbiased and with its relative error.

Draws are weighted by `simulator.tilting`. Each path carries W, its likelihood ratio; the estimate of P(breach) over N
paths is the mean of W over those that breach and 0 over the others, its standard error s/√N. How strongly to tilt is
chosen by pilots on random numbers of their own, so the choice does not bias the estimate: the strength and number of
starts with the least relative variance among those that breached often enough to judge.

Nothing is random but the draws: same plan, same figures. The weights are doubles, so figures agree between kinds of
device to about 1e-9, not to the bit.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator import tilting
from simulator.estimate import Estimate, Z, probability
from simulator.planning import Plan
from simulator.rng import path_key
from simulator.spec import Rules
from simulator.tally import Finished, Outcome, Tally
from simulator.tilting import Weighting

FEW: Final = 100
"""Fewer breaches among the plain paths are too few: a relative error above 10%."""

RARE: Final = 1e-3
"""More plain paths are the better remedy unless the probability is below this, as far as the plain paths can tell."""

BLOCK_PATHS: Final = 4_096
"""Paths of a pilot, and of each block of the main run: one shape, and so one compilation."""

MOST_BLOCKS: Final = 64
"""Blocks of the main run at most."""

ENOUGH: Final = 0.01
"""Relative standard error at which the main run ends."""

LEAST_HITS: Final = 30
"""A pilot with fewer breaches says too little."""

_ENTRY: Final = struct.Struct("<Bddqdq")
_PILOT: Final = 0x52415245
_MAIN: Final = _PILOT + 1


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weights:
    """Sums over paths of W and W² where they breached, by `Outcome`, and how many did."""

    paths: int = 0
    hits: tuple[int, ...] = (0,) * len(Outcome)
    total: tuple[float, ...] = (0.0,) * len(Outcome)
    squares: tuple[float, ...] = (0.0,) * len(Outcome)

    @staticmethod
    def of(plan: Plan, finished: Finished) -> _Weights:
        weight = weights(plan, finished)
        of_each = [weight[finished.outcome == end] for end in Outcome]
        return _Weights(
            paths=int(finished.outcome.size),
            hits=tuple(each.size for each in of_each),
            total=tuple(math.fsum(each) for each in of_each),
            squares=tuple(math.fsum(each * each) for each in of_each),
        )

    def __add__(self, other: _Weights) -> _Weights:
        return _Weights(
            paths=self.paths + other.paths,
            hits=tuple(a + b for a, b in zip(self.hits, other.hits, strict=True)),
            total=tuple(a + b for a, b in zip(self.total, other.total, strict=True)),
            squares=tuple(a + b for a, b in zip(self.squares, other.squares, strict=True)),
        )

    def relative_variance(self, outcome: Outcome) -> float:
        """Variance over the square of the mean, of one path; infinite where too few breached to judge."""
        if self.hits[outcome] < LEAST_HITS or self.total[outcome] == 0:
            return math.inf
        mean = self.total[outcome] / self.paths
        return max(self.squares[outcome] / self.paths / mean**2 - 1, 0.0)

    def event(self, outcome: Outcome, weighting: Weighting) -> RareEvent:
        mean = self.total[outcome] / self.paths
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
    if not settings.rare_events or stress.fewer_winners or stress.worst_day or scores(plan) is None:
        return ()
    return tuple(end for end in _possible(plan.spec.rules) if _is_rare(tally.outcomes[end], tally.paths))


def _is_rare(breaches: int, paths: int) -> bool:
    return breaches < FEW and probability(breaches, paths).ci_high < RARE


def estimate(plan: Plan, outcomes: Iterable[Outcome], finish: Callable[[Plan, int], Finished]) -> tuple[RareEvent, ...]:
    """The probabilities of these breaches, as far as tilting finds any.

    `finish` runs one block of a plan: `simulator.engine.finished`.
    """
    looked_for, found = tuple(outcomes), []
    weightings = _weightings(plan) if looked_for else ()
    tried = {weighting: _run(plan, weighting, _PILOT, 0, finish) for weighting in weightings}
    for outcome in looked_for:
        variance = {each: pilot.relative_variance(outcome) for each, pilot in tried.items()}
        best = min(variance, key=variance.__getitem__, default=None)
        if best is None or not math.isfinite(variance[best]):
            continue
        found.append(_precise(plan, best, outcome, finish))
    return tuple(found)


def tells_more(event: RareEvent, plain: Tally) -> bool:
    """Whether it is more precise than the plain paths are."""
    hits = plain.outcomes[event.outcome]
    return hits == 0 or event.relative_error < math.sqrt((1 - hits / plain.paths) / hits)


def weights(plan: Plan, finished: Finished) -> npt.NDArray[np.float64]:
    """The likelihood ratio of each path of a tilted plan: K / (Σ over the moments it has passed + those to come).

    K moments, each as likely to be the one at which the tilt began; the sum is over the odds, tilted to plain, of the
    draws from each moment on. A moment that the path did not live to see has odds of 1.
    """
    weighting = plan.weighting
    if weighting is None or finished.odds is None:
        raise ValueError("These paths were not tilted: give a plan with a weighting.")
    steps = finished.trades if finished.skipped is None else finished.trades + finished.skipped
    passed = np.minimum((steps - 1) // stride(plan) + 1, weighting.starts)
    return np.asarray(weighting.starts / (finished.odds + (weighting.starts - passed)), dtype=np.float64)


def stride(plan: Plan) -> int:
    """Trades between two moments at which a tilt may begin."""
    starts = plan.weighting.starts if plan.weighting else 1
    return max(1, int(_steps(plan) / starts))


def merge(a: Iterable[RareEvent], b: Iterable[RareEvent]) -> tuple[RareEvent, ...]:
    """The events of both, in the order of `Outcome`; one that is in both is the same in both."""
    events = {each.outcome: each for each in (*a, *b)}
    return tuple(events[outcome] for outcome in sorted(events))


def to_bytes(events: Iterable[RareEvent]) -> bytes:
    """The serial form."""
    return b"".join(
        _ENTRY.pack(
            each.outcome, each.probability, each.std_error, each.paths, each.weighting.strength, each.weighting.starts
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
            weighting=Weighting(strength=strength, starts=starts),
        )
        for outcome, probability, std_error, paths, strength, starts in _ENTRY.iter_unpack(data)
    )


def _precise(plan: Plan, weighting: Weighting, outcome: Outcome, finish: Callable[[Plan, int], Finished]) -> RareEvent:
    """Blocks in order until the error is small enough."""
    total = _Weights()
    for block in range(MOST_BLOCKS):
        total += _run(plan, weighting, _MAIN, block, finish)
        if total.relative_variance(outcome) <= ENOUGH**2 * (total.paths - 1):
            break
    return total.event(outcome, weighting)


def _run(
    plan: Plan, weighting: Weighting, purpose: int, block: int, finish: Callable[[Plan, int], Finished]
) -> _Weights:
    tilted = replace(
        plan,
        weighting=weighting,
        seed=_seed(plan.seed, purpose),
        paths=MOST_BLOCKS * BLOCK_PATHS,
        block_paths=BLOCK_PATHS,
        blocks=MOST_BLOCKS,
        fan_paths=0,
    )
    return _Weights.of(tilted, finish(tilted, block))


def _weightings(plan: Plan) -> Iterator[Weighting]:
    found, rules = scores(plan), plan.spec.rules
    if found is None:
        return
    draws = _steps(plan) * len(found) / plan.history.trades / max(plan.block_length, 1.0)
    for distance in _distances(plan, rules):
        yield from tilting.candidates(found, distance=distance, draws=draws)


def _distances(plan: Plan, rules: Rules) -> Iterator[float]:
    """How far each floor is, in minor units."""
    floor = plan.spec.present_floor_minor
    if floor is not None:
        yield max(1.0, plan.spec.account.balance_minor - floor)
    elif rules.daily_loss is not None:
        share = (rules.daily_loss.anchor_share_ppm or 0) / 1_000_000
        yield max(1.0, rules.daily_loss.limit_minor or share * plan.spec.account.balance_minor)


def scores(plan: Plan) -> npt.NDArray[np.float64] | None:
    """What comes with each draw of the plan, as of `simulator.tilting.scores`."""
    return tilting.scores(plan.model, plan.source.history, plan.block_length)


def _possible(rules: Rules) -> Iterator[Outcome]:
    if rules.max_drawdown is not None:
        yield Outcome.BREACHED_MAX_DRAWDOWN
    if rules.daily_loss is not None and rules.daily_loss.action.value == "fail":
        yield Outcome.BREACHED_DAILY_LOSS


def _steps(plan: Plan) -> float:
    """Trades of a path that lives to the horizon, on average."""
    per_day = plan.spec.settings.trades_per_day or plan.history.trades / plan.history.days
    return plan.horizon_days * per_day


def _seed(seed: int, purpose: int) -> int:
    """Random numbers of their own for the pilots and for the main run."""
    words = path_key(seed, purpose)
    return int(words[1]) << 32 | int(words[0])
