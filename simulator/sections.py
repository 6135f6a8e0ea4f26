"""The sections of a simulation, and how a stretch of one is run: the same for a thread here and a worker elsewhere.

A section is so many numbered units, and what a unit yields depends on the plan and its number alone. Paths are counted
in blocks; a block yields its tally, and the matched pairs of every scenario. The resampled histories of the estimation
risk are counted by themselves, and come first: they are always all done, while paths may stop early.
"""

from __future__ import annotations

from contextlib import suppress
from enum import IntEnum

from simulator import engine, estimation_risk, outer_bootstrap, rare, scenarios
from simulator.device import Device, blocks_together
from simulator.errors import AmountsTooLarge
from simulator.estimation_risk import Histories
from simulator.found import Found
from simulator.launching import Launcher
from simulator.planning import Plan
from simulator.scenarios import Paired
from simulator.tally import Outcome, Tally


class Section(IntEnum):
    """In the order in which they are handed out. FAN: blocks of paths that are done, but for the equity fan. RARE: the
    breaches that the paths saw too few of; a unit is an `Outcome`.
    """

    FAN = 0
    HISTORIES = 1
    PATHS = 2
    RARE = 3


def at_once(plan: Plan, section: Section, launcher: Launcher) -> int:
    """Units that run at once, for as long as a few: fewer are not worth a call."""
    blocks = blocks_together(plan) if section in {Section.FAN, Section.PATHS} else 1
    return launcher.threads * blocks


def run(plan: Plan, section: Section, first: int, count: int, launcher: Launcher) -> Found:
    """What these units yield.

    Raises: InvalidInput if the input turns out to be impossible to simulate.
    """
    match section:
        case Section.FAN:
            return Found(tally=engine.tally(plan, range(first, first + count), launcher)).fan_alone()
        case Section.HISTORIES:
            return _histories(plan, first, count, launcher)
        case Section.RARE:
            outcomes = [Outcome(unit) for unit in range(first, first + count)]
            return Found(rare=rare.estimate(plan, outcomes, launcher))
        case Section.PATHS:
            if not plan.spec.settings.scenarios:
                return Found(tally=engine.tally(plan, range(first, first + count), launcher))
            return _with_scenarios(plan, first, count, launcher)


def _histories(plan: Plan, first: int, count: int, launcher: Launcher) -> Found:
    ends = dict.fromkeys(range(first, first + count), estimation_risk.LEFT_OUT)
    plans = enumerate(outer_bootstrap.plans(plan, first, count), start=first)
    kept = ((number, Device(each), range(1)) for number, each in plans if not outer_bootstrap.is_left_out(each))
    for number, flight in launcher.flown(kept):
        with suppress(AmountsTooLarge):
            ends[number] = estimation_risk.ends(flight.land())
    return Found(histories=Histories(ends=ends))


def _with_scenarios(plan: Plan, first: int, count: int, launcher: Launcher) -> Found:
    cases = [Device(case) for case in (plan, *scenarios.plans(plan))]
    stretches = engine.in_batches(range(first, min(first + count, plan.blocks)), blocks_together(plan))
    total = Found()
    flights = launcher.flown((blocks, case, blocks) for blocks in stretches for case in cases)
    for together in zip(*[flights] * len(cases), strict=True):
        proper, *others = (flight.land() for _, flight in together)
        total += Found(tally=Tally.of(proper), pairs=tuple(Paired.of(proper, other) for other in others))
    return total
