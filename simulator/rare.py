"""Breaches too rare for plain sampling: their probability by importance sampling, with its relative error.

Draws are weighted by `simulator.tilting`, for the loss of a day by `simulator.within_a_day`. Each path carries W, its
likelihood ratio; the estimate of P(breach) over N paths is the mean of W over those that breach and 0 over the others,
its standard error s/√N. How to tilt is chosen by pilots on random numbers of their own, so the choice does not bias the
estimate: the weighting with the least relative variance among those that breached often enough to judge, and found no
less than the others did. Short pilots say which are worth longer ones: the best by P&L, and the best by lowest points.

Weights that miss a way to breach yield too low a figure with too small an error. So a share of the paths is plain, and
there is a figure only if it is precise (`Weights.reliable`) and no single path makes up much of it. Whether the plain
paths of the simulation contradict it is asked when it is shown (`simulator.rare_event`).

Nothing is random but the draws: same plan, same figures. The weights are doubles, so figures agree between kinds of
device to about 1e-9, not to the bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from typing import Final

from simulator import guided, stopping, tilted, tilting
from simulator.device import Device
from simulator.errors import AmountsTooLarge
from simulator.estimate import probability
from simulator.launching import Launcher
from simulator.planning import Plan
from simulator.rare_event import RareEvent
from simulator.rare_weights import BLOCK_PATHS, LEAST_HITS, MOST_BLOCKS, Weights
from simulator.rng import path_key
from simulator.spec import DrawdownKind, Rules
from simulator.tally import Outcome, Tally
from simulator.tilting import Weighting

FEW: Final = 100
"""Fewer breaches among the plain paths are too few: a relative error above 10%."""

LEAST_PATHS: Final = 50_000
"""Of a simulation with fewer paths the pilots alone would be most of the work."""

RARE: Final = 1e-3
"""More plain paths are the better remedy unless the probability is below this, as far as the plain paths can tell."""

FIRST_PATHS: Final = 1_024
"""Paths of a first pilot: there are many, and most show with few paths that they will not do."""

FIRST_HITS: Final = 8
"""With fewer breaches a first pilot is not followed up, and the main run does not go on."""

SHORT_LIVES: Final = 0.5
"""Where no path of a pilot lives for so much of the horizon, moments are tried that are spread over its longest life.
"""

LOOKS: Final = (16, 32, 64)
"""Blocks of the main run after which it is given up if the figure would still be UNRELIABLE at the end. Fewer say too
little of weights with long tails.
"""

_PILOT: Final = 0x52415245
_MAIN: Final = _PILOT + 1


def wanted(plan: Plan, tally: Tally) -> tuple[Outcome, ...]:
    """The breaches that the plain paths saw too few of, where the model can be tilted and the settings allow it.

    Stress that replaces winners or strikes a day draws for itself and is not tilted.
    """
    settings, stress = plan.spec.settings, plan.spec.settings.stress
    draws_for_itself = stress.fewer_winners or stress.worst_day
    if not settings.rare_events or draws_for_itself or tally.paths < LEAST_PATHS or tilted.scores(plan) is None:
        return ()
    return tuple(end for end in possible(plan.spec.rules) if _is_rare(tally.outcomes[end], tally.paths))


def ruled_out(plan: Plan, outcome: Outcome) -> bool:
    """Whether no draws can bring this breach. Where there is no weighting to try it may yet come."""
    if outcome is Outcome.BREACHED_DAILY_LOSS:
        return guided.ruled_out(plan)
    return not tilted.falls(plan)


def of_each_kind(plan: Plan) -> Iterator[Plan]:
    """One path, weighted, for each kernel that a search may run: so that it is compiled."""
    for outcome in possible(plan.spec.rules):
        weighting = next(_weightings(plan, outcome), None)
        if weighting is not None:
            yield replace(_with(plan, weighting, _PILOT), paths=1)


def _is_rare(breaches: int, paths: int) -> bool:
    return breaches < FEW and probability(breaches, paths).ci_high < RARE


def estimate(plan: Plan, outcomes: Iterable[Outcome], launcher: Launcher) -> tuple[RareEvent, ...]:
    """The probabilities of these breaches, as far as tilting finds any. Weighted paths may fall beyond what can be
    computed where no plain path does: then there is no figure.

    Raises: CancelledError, soon after the launcher's `stop` says so.
    """
    found = list[RareEvent | None]()
    for outcome in outcomes:
        with suppress(AmountsTooLarge), stopping.once(launcher.is_unwanted):
            found.append(_estimate(plan, outcome, launcher))
    return tuple(event for event in found if event is not None)


def _estimate(plan: Plan, outcome: Outcome, launcher: Launcher) -> RareEvent | None:
    """One breach; None if no reliable figure was found. Blocks beyond the last that is needed do not count, so a figure
    does not depend on how many are run at once.
    """
    best = _best(plan, outcome, launcher)
    if best is None:
        return None
    total, main = Weights(), _with(plan, best, _MAIN)
    device = Device(main)
    blocks = ((block, device, range(block, block + 1)) for block in range(MOST_BLOCKS))
    with closing(launcher.flown(blocks)) as flights:
        for block, flight in flights:
            total += Weights.of(main, flight.land(), outcome)
            if total.enough or _in_vain(total, block + 1):
                break
    return _event(outcome, best, total) if total.reliable else None


def _in_vain(total: Weights, blocks: int) -> bool:
    """Whether so many blocks of the main run show that it will find nothing."""
    return total.hits < FIRST_HITS or (blocks in LOOKS and total.hopeless)


def _event(outcome: Outcome, weighting: Weighting, total: Weights) -> RareEvent:
    error = total.mean * total.relative_error(total.paths)
    return RareEvent(outcome=outcome, probability=total.mean, std_error=error, paths=total.paths, weighting=weighting)


def _best(plan: Plan, outcome: Outcome, launcher: Launcher) -> Weighting | None:
    """What the main run is to draw with, by pilots if there is a choice; None if none breaches often enough."""

    def piloted(weightings: Iterable[Weighting], block: int, paths: int) -> dict[Weighting, Weights]:
        plans = ((each, replace(_with(plan, each, _PILOT), paths=block * BLOCK_PATHS + paths)) for each in weightings)
        flights = launcher.flown((each, Device(each[1]), range(block, block + 1)) for each in plans)
        return {weighting: Weights.of(pilot, flight.land(), outcome) for (weighting, pilot), flight in flights}

    def longest_life() -> float:
        """The share of the horizon that paths live, by a pilot whose draws are all as likely."""
        as_likely = Weighting(strength=0.0, starts=1)
        pilot = replace(_with(plan, as_likely, _PILOT), paths=FIRST_PATHS)
        [(_, flight)] = launcher.flown([(as_likely, Device(pilot), range(1))])
        return int(flight.land().drawn.max()) / plan.mean_steps

    tried = list(_weightings(plan, outcome))
    if len(tried) < 2:
        return next(iter(tried), None)
    reach = longest_life()
    if reach < SHORT_LIVES:
        tried += [each for each in _weightings(plan, outcome, reach) if each not in tried]
    pilots = piloted(tried, 0, FIRST_PATHS)
    best = [_first(_ranked(pilots, FIRST_HITS), by_low=by_low) for by_low in (False, True)]
    followed_up = piloted([each for each in best if each is not None], 1, BLOCK_PATHS)
    both = {weighting: pilots[weighting] + more for weighting, more in followed_up.items()}
    return next(iter(_ranked(both, LEAST_HITS)), None)


def _first(ranked: Iterable[Weighting], *, by_low: bool) -> Weighting | None:
    return next((each for each in ranked if each.by_low == by_low), None)


def _ranked(pilots: Mapping[Weighting, Weights], hits: int) -> list[Weighting]:
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


def _weightings(plan: Plan, outcome: Outcome, reach: float = 1.0) -> Iterator[Weighting]:
    """What may be tried for breaches within this share of the horizon."""
    if outcome is Outcome.BREACHED_DAILY_LOSS:
        guided_to_it = guided.weighting(plan)
        if guided_to_it is not None:
            yield guided_to_it
    floor = plan.spec.present_floor_minor
    if outcome is Outcome.BREACHED_MAX_DRAWDOWN and floor is not None:
        distance = max(1.0, plan.spec.account.balance_minor - floor)
        yield from tilted.weightings(plan, distance, _starts(plan), reach)


def _starts(plan: Plan) -> int:
    """A fall to a floor that stands still may as well begin at once, unless something before it brings the floor nearer
    or makes trades larger, or a phase that is passed sets balance and floor anew.
    """
    rules = plan.spec.rules
    later_phases = len(rules.steps) > plan.spec.account.phase
    changes = rules.payout is not None or rules.scaling is not None or later_phases
    return 1 if _is_static(plan) and not changes else tilting.MOMENTS


def _is_static(plan: Plan) -> bool:
    drawdown = plan.spec.rules.max_drawdown
    return drawdown is not None and drawdown.kind is DrawdownKind.STATIC


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
