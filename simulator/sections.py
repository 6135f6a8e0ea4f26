"""The sections of a simulation, and how a stretch of one is run: the same for a thread here and a worker elsewhere.

A section is so many numbered units, and what a unit yields depends on the plan and its number alone. Paths are counted
in blocks; a block yields its tally, and the matched pairs of every scenario. The resampled histories of the estimation
risk are counted by themselves, and come first: they are always all done, while paths may stop early.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from functools import reduce
from typing import TypeVar

from simulator import engine, estimation_risk, outer_bootstrap, rare, scenarios
from simulator.errors import AmountsTooLarge
from simulator.estimation_risk import Histories
from simulator.found import Found
from simulator.planning import Plan
from simulator.scenarios import Paired
from simulator.tally import Outcome, Tally

Unit = TypeVar("Unit")
Yield = TypeVar("Yield")


class Section(IntEnum):
    """In the order in which they are handed out. FAN: blocks of paths that are done, but for the equity fan. RARE: the
    breaches that the paths saw too few of; a unit is an `Outcome`.
    """

    FAN = 0
    HISTORIES = 1
    PATHS = 2
    RARE = 3


def run(plan: Plan, section: Section, first: int, count: int, *, threads: int | None = None) -> Found:
    """What these units yield. `threads` as of `engine.run`.

    Raises: InvalidInput if the input turns out to be impossible to simulate.
    """
    match section:
        case Section.FAN:
            return Found(tally=engine.run(plan, first, count, threads=threads)).fan_alone()
        case Section.HISTORIES:
            return _histories(plan, first, count, threads)
        case Section.RARE:
            outcomes = [Outcome(unit) for unit in range(first, first + count)]
            threads = threads or engine.default_threads()
            return Found(rare=rare.estimate(plan, outcomes, engine.finished, threads=threads))
        case Section.PATHS:
            if not plan.spec.settings.scenarios:
                return Found(tally=engine.run(plan, first, count, threads=threads))
            return _with_scenarios(plan, first, count, threads)


def _histories(plan: Plan, first: int, count: int, threads: int | None) -> Found:
    def ended(resampled: Plan) -> estimation_risk.Counts:
        if outer_bootstrap.is_left_out(resampled):
            return estimation_risk.LEFT_OUT
        try:
            return estimation_risk.ends(engine.finished(resampled, 0))
        except AmountsTooLarge:
            return estimation_risk.LEFT_OUT

    ends = _each(ended, outer_bootstrap.plans(plan, first, count), threads)
    return Found(histories=Histories(ends=dict(enumerate(ends, start=first))))


def _with_scenarios(plan: Plan, first: int, count: int, threads: int | None) -> Found:
    from simulator.device import Device  # noqa: PLC0415 — planning must not pay for importing jax

    base, *others = (Device(each) for each in (plan, *scenarios.plans(plan)))

    def found(blocks: range) -> Found:
        proper = base.finished(blocks)
        pairs = tuple(Paired.of(proper, other.finished(blocks)) for other in others)
        return Found(tally=Tally.of(proper), pairs=pairs)

    wanted = range(first, min(first + count, plan.blocks))
    stretches = engine.in_batches(wanted, threads or engine.default_threads())
    return reduce(operator.add, _each(found, stretches, threads), Found())


def _each(what: Callable[[Unit], Yield], units: Iterable[Unit], threads: int | None) -> list[Yield]:
    with ThreadPoolExecutor(max_workers=threads or engine.default_threads()) as pool:
        return list(pool.map(what, units))
